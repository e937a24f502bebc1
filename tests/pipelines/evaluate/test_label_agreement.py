"""By what names label agreement is measured, and against what its threshold is read."""

from __future__ import annotations

import pytest

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.pipeline_registry import whole_study
from retrieval_vs_diffusion.pipelines.evaluate.comparing import compare
from retrieval_vs_diffusion.pipelines.evaluate.nodes import check_clip, measure_set
from retrieval_vs_diffusion.strategies.class_table import ClassTable
from retrieval_vs_diffusion.study import read_study
from tests.comparison.answers import outcomes, result, table
from tests.test_study import parameters

COMPUTE = {"device": "cpu", "threads": 1}
CSV = "class,name,definition\n001,red,a colour\n002,blue,another\n"
CALLED = {"001": {"name": "red"}, "002": {"name": "blue"}}
STRATEGIES = {"original_only": None, "prompts": {"generate": {"type": "text_to_image"}}}
RIGHT = {
    "original_only": "1000 1000 1000 1000 1000",
    "text": "1100 1100 1100 1100 1100",
    "prompts": "1110 1110 1110 1110 1110",
}


@pytest.fixture
def class_table(tmp_path):
    path = tmp_path / "classes.csv"
    path.write_text(CSV)
    return str(path)


@pytest.fixture
def nodes_of(class_table):
    """The nodes of a world of a row that generates, by name."""

    def made(**changes) -> dict:
        classes = {"classes": {"path": class_table}}
        study = read_study(parameters(strategies=STRATEGIES, repetitions={"number": 1}, **classes, **changes))
        return {node.name: node for node in whole_study(study).nodes}

    return made


def fixed(node) -> ClassTable | None:
    """The class table that a node function was bound to."""
    bound = [*node.func.args, *node.func.keywords.values()]
    return next((each for each in bound if isinstance(each, ClassTable)), None)


def generated(images: ImageTable) -> ImageTable:
    return ImageTable.from_rows({**row, "checkpoint": "tiny", "true_label": None} for row in images.table.to_pylist())


def test_without_a_judge_the_names_of_the_class_table_reach_what_asks_clip(nodes_of):
    made = nodes_of()
    for name in ("prompts.measure_set_repetition_0", "comparison.check_clip"):
        assert fixed(made[name]).rows == CALLED, name  # the names alone: another definition measures nothing again
    assert "comparison.clip_check" in made["comparison.compare_strategies"].inputs
    assert "gpu" in made["comparison.check_clip"].tags


def test_with_a_judge_they_are_of_no_matter_and_the_judges_check_is_read(nodes_of):
    made = nodes_of(judge={"path": "judge.safetensors"})
    assert fixed(made["prompts.measure_set_repetition_0"]) is None
    assert "comparison.check_clip" not in made
    assert "comparison.judge_check" in made["comparison.compare_strategies"].inputs


def test_images_and_validation_are_measured_by_the_names_that_images_are_generated_from(red_and_blue, clip):
    images = generated(red_and_blue([0, 1] * 10))
    vectors = clip.embed_table(images)
    queries = clip.embed_texts(["a photo of a red", "a photo of a blue"])
    by_hand = float(((vectors @ queries.T).argmax(axis=1) == images.labels()).mean())
    val = Embeddings(vectors, clip.name)
    measured = measure_set("d", images, ["001", "002"], clip, val, 0.93, COMPUTE, class_table=ClassTable(CALLED))
    assert measured["label_agreement"] == by_hand
    checked = check_clip(ClassTable(CALLED), clip, images, val, ["001", "002"], COMPUTE)
    assert checked == {"clip_top1_on_val": by_hand, "images": 20}
    named = measure_set("d", images, ["red", "blue"], clip, val, 0.93, COMPUTE)
    assert named["label_agreement"] == by_hand  # folders that are called so


def compared(agreement: float | None, of_retrieval: float | None = None, **checks) -> dict:
    """The summary of a study whose generating row has this agreement, by the yardstick that is checked."""
    by = "clip_zero_shot" if "clip_check" in checks else "judge"
    arms = {
        "original_only": ("neither", None, None),
        "text": ("retrieve", of_retrieval, "true_labels"),
        "prompts": ("generate", agreement, by),
    }
    rows = {}
    for name, (arm, agreed, told_by) in arms.items():
        row = result(name, arm, outcomes(RIGHT[name]), agreement=agreed)
        for each in row["repetitions"]:
            each["agreement_by"] = None if agreed is None else told_by
        rows |= {f"results_of_{name}": row, f"outcomes_of_{name}": table(outcomes(RIGHT[name]))}
    return compare(list(arms), 0.7, [10, 10], ["zero", "one"], **checks, **rows)[3]


def test_a_perfect_generator_is_not_left_out_for_what_clip_does_not_know():
    # CLIP is right on 64 % of real images: a generator whose images are all right has 64 %, under 70 but over 44.8 %.
    checked = {"clip_top1_on_val": 0.64, "images": 50}
    summary = compared(0.64, clip_check=checked)
    assert (summary["low_label_agreement"], summary["best"]["generate"]) == ([], "prompts")
    assert summary["yardstick"] == {"agreement_by": "clip_zero_shot", "top1_on_val": 0.64, "images": 50}
    weak = compared(0.44, clip_check=checked)
    assert (weak["low_label_agreement"], weak["best"]["generate"]) == (["prompts"], None)


def test_a_judge_moves_the_bar_of_what_it_judged_and_not_that_of_true_labels():
    summary = compared(0.69, of_retrieval=0.69, judge_check={"judge_top1_on_val": 0.81, "images": 100})
    assert summary["low_label_agreement"] == ["text"]  # under 70 %; 0.7 * 0.81 = 56.7 % is the generating row's bar
    assert summary["best"] == {"retrieve": None, "generate": "prompts"}


def test_an_arm_that_alone_could_be_left_out_is_said_to_be():
    checked = {"clip_top1_on_val": 0.64, "images": 50}
    alone, both = compared(0.3, clip_check=checked), compared(0.3, of_retrieval=0.9, clip_check=checked)
    told = "Only rows that generate could be left out so: nothing here tells whether retrieved images show their class."
    assert alone["sentence"].startswith("No row here generates images that show their class, so ")
    assert alone["sentence"].endswith(f". {told}")
    assert told not in both["sentence"]  # the retrieved images' true labels are known
    assert told not in compared(0.6, clip_check=checked)["sentence"]


def test_without_any_check_shares_are_of_all_images():
    summary = compared(0.69)
    assert (summary["low_label_agreement"], summary["yardstick"]) == (["prompts"], None)
