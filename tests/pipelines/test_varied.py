"""The comparisons beside the table: that they are wired up as what they are called."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.screening import fingerprint
from retrieval_vs_diffusion.pipeline_registry import whole_study
from retrieval_vs_diffusion.pipelines import added_images, leak_comparison, retrieve, size_curve, synthesize, train
from retrieval_vs_diffusion.settings import CONFIG_LOADER_ARGS
from retrieval_vs_diffusion.study import Study, read_study
from retrieval_vs_diffusion.world_config import WorldConfigLoader
from tests.test_study import parameters

ROOT = Path(__file__).parents[2]
WORDS = {"words": {"type": "textual_inversion"}}
STRATEGIES = {
    "original_only": None,
    "text": {"retrieve": {"type": "by_text"}},
    "words": {"personalise": "words", "generate": {"type": "text_to_image"}},
    "both": {"steps": [{"retrieve": {"type": "by_text"}}, {"generate": {"type": "text_to_image"}}]},
    "probe": {"retrieve": {"type": "by_image"}, "classifier": {"features": "clip"}},
}


def study_of(**changes) -> Study:
    asked = {
        "size_curve": {"times_originals": [0.5, 2]},
        "leak_comparison": {"arms": ["retrieve", "both"]},
        "added_images": {"times_originals": [0.5, 2], "added_shares": [0.25], "repetitions": 2},
    }
    usual = {"strategies": STRATEGIES, "personalisations": WORDS, "repetitions": {"number": 2}, "added_per_original": 3}
    return read_study(parameters(**{**usual, **asked, **changes}))


def rows_of(study: Study) -> Pipeline:
    """The nodes that bring the images of the table's rows and train on them."""
    return sum((stage.create_pipeline(study) for stage in (synthesize, retrieve, train)), Pipeline([]))


def named(pipeline: Pipeline, part: str = "") -> dict[str, Node]:
    return {node.name: node for node in pipeline.nodes if part in node.name}


def training(node: Node) -> dict:
    """What is bound into a node that trains."""
    names = ("mix", "overrides", "init_digest", "seed", "description", "subset", "originals", "added_per_original")
    return dict(zip(names, node.func.args, strict=True))


def bringing(pipeline: Pipeline) -> dict[str, Node]:
    return {name: node for name, node in named(pipeline).items() if "bring_images" in node.func.__name__}


@pytest.fixture(scope="module")
def whole() -> Pipeline:
    """All that a plain run could make."""
    return whole_study(study_of())


# ---- the size curve


def test_the_curve_trains_and_tests_the_baseline_at_each_size_and_collects_it():
    pipeline = size_curve.create_pipeline(study_of())
    assert set(named(pipeline)) == {
        *(f"size_curve.times_{size}.train_repetition_{n}" for size in ("0_5", "2") for n in (0, 1)),
        *(f"size_curve.times_{size}.predict_test_repetition_{n}" for size in ("0_5", "2") for n in (0, 1)),
        "size_curve.collect_outcomes",
    }
    assert "size_curve.outcomes" in pipeline.outputs()


def test_a_point_of_the_curve_differs_from_the_baseline_in_its_number_of_originals_alone():
    study = study_of()
    row = training(named(rows_of(study))["original_only.train_repetition_1"])
    assert (row["originals"], row["added_per_original"]) == (1.0, None)
    nodes = named(size_curve.create_pipeline(study), ".train_")
    for size, times in (("0_5", 0.5), ("2", 2.0)):
        node = nodes[f"size_curve.times_{size}.train_repetition_1"]
        changed = {key for key, value in training(node).items() if value != row[key]}
        assert changed == {"originals", "description"}  # not its seed, and not which images come first
        assert training(node)["originals"] == times
        assert not [name for name in node.inputs if "added_images" in name]


def test_repetitions_of_the_curve_differ_as_the_rows_do():
    seeds = {training(node)["seed"] for node in named(size_curve.create_pipeline(study_of()), ".train_").values()}
    subsets = {training(node)["subset"] for node in named(size_curve.create_pipeline(study_of()), ".train_").values()}
    assert len(seeds) == len(subsets) == 2


@pytest.mark.parametrize(
    "changes", [{"size_curve": {"times_originals": []}}, {"strategies": {"text": STRATEGIES["text"]}}]
)
def test_without_a_size_or_a_baseline_there_is_nothing_to_run(changes):
    assert not size_curve.create_pipeline(study_of(**changes)).nodes


def frames(node: Node) -> dict:
    """Something for each input of a collecting node that tells which one it is."""
    made = {}
    for name in node.inputs:
        number = float(sum(map(ord, name)) % 89)
        if name.endswith(".predictions"):
            about = {"image_id": ["a", "b"], "label": [0, 1]}
            made[name] = pd.DataFrame({**about, "red": [number % 2, 0.5], "blue": [0.5, 1.0]})
        elif name.endswith(".history"):
            made[name] = pd.DataFrame({"val_top1": [number], "kept": [True]})
        elif name.endswith(".training_record"):
            made[name] = {"originals": number, "added": 0}
    return made


def test_every_size_is_collected_under_its_own_name():
    collect = named(size_curve.create_pipeline(study_of()))["size_curve.collect_outcomes"]
    inputs = frames(collect)
    table = collect.run(inputs)["size_curve.outcomes"]
    for (variant, repetition), own in table.groupby(["variant", "repetition"]):
        key = f"{variant}.repetition_{repetition}"
        assert set(own["originals"]) == {inputs[f"{key}.training_record"]["originals"]}
        assert set(own["val_top1"]) == {inputs[f"{key}.history"]["val_top1"][0]}
        predicted = int(inputs[f"{key}.predictions"]["red"][0] < 0.5)
        assert own["predicted"].tolist() == [predicted, 1]
    assert len(table) == 2 * 2 * 2  # sizes, repetitions, images
    assert set(table["variant"]) == {"size_curve.times_0_5", "size_curve.times_2"}


# ---- leaks let through


def test_every_row_of_the_arms_is_brought_trained_and_tested_once_more():
    nodes = named(leak_comparison.create_pipeline(study_of()))
    boxes = {node.namespace for node in nodes.values()}
    assert boxes == {"leak_comparison.text", "leak_comparison.both", "leak_comparison.probe"}
    assert {
        name.removeprefix("leak_comparison.text.") for name in nodes if name.startswith("leak_comparison.text.")
    } == {
        *(f"{what}_repetition_{n}" for what in ("retrieve", "train", "predict_test") for n in (0, 1)),
        "collect_outcomes",
    }


def test_a_leaky_row_differs_from_the_row_in_the_screening_alone():
    study = study_of()
    rows, leaky = rows_of(study), leak_comparison.create_pipeline(study)
    for name, node in bringing(leaky).items():
        of_row, own = named(rows)[name.removeprefix("leak_comparison.")].func.keywords, node.func.keywords
        changed = {key for key in own if own[key] is not of_row[key] and own[key] != of_row[key]}
        assert changed == {"strategy", "lets_leaks_through"}  # among what stays are its seeds
        assert own["lets_leaks_through"] is True
    for name, node in named(leaky, ".train_").items():
        row, own = training(named(rows)[name.removeprefix("leak_comparison.")]), training(node)
        assert {key for key in own if own[key] != row[key]} == {"description"}
        assert [each for each in node.inputs if each.endswith(".added_images")] == [
            f"{node.namespace}.repetition_{name[-1]}.added_images"
        ]


def test_leaks_are_let_through_in_the_side_comparison_and_never_in_a_row(whole):
    letting = {name for name, node in bringing(whole).items() if node.func.keywords["lets_leaks_through"]}
    assert letting
    assert all(name.startswith("leak_comparison.") for name in letting)
    for pipeline in (added_images.create_pipeline(study_of()), size_curve.create_pipeline(study_of())):
        assert not [node for node in bringing(pipeline).values() if node.func.keywords["lets_leaks_through"]]


def test_nothing_of_a_leaky_row_goes_into_a_row_or_into_the_comparison_of_rows(whole):
    leaky = {name for name in whole.all_outputs() if name.startswith("leak_comparison.")}
    readers = {node.name for node in whole.nodes if leaky & set(node.inputs) and node.namespace not in boxes_of(whole)}
    assert readers == {"comparison.compare_leaks"}


def boxes_of(pipeline: Pipeline) -> set:
    """The boxes of the leak comparison."""
    return {node.namespace for node in pipeline.nodes if str(node.namespace).startswith("leak_comparison.")}


def test_leaks_that_came_in_are_counted_in_each_repetition_of_the_images_that_were_trained_on(target):
    pipeline = leak_comparison.create_pipeline(study_of())
    collect = named(pipeline)["leak_comparison.both.collect_outcomes"]
    images = [name for name in collect.inputs if name.endswith("added_images")]
    assert images == [f"leak_comparison.both.repetition_{n}.added_images" for n in (0, 1)]
    for number, name in enumerate(images):
        assert name in named(pipeline)[f"leak_comparison.both.train_repetition_{number}"].inputs
    leaks = dict(zip(images, (target.test.take([0, 1, 2]), target.reservoir.take([0])), strict=True))
    screening = {"leak_similarity": 0.999}
    protected = {"screening.protected": fingerprint(target.val, target.test), "params:screening": screening}
    refused = {name: target.test.take([]) for name in collect.inputs if ".refused_images" in name}  # not looked at
    table = collect.run({**frames(collect), **leaks, **refused, **protected})["leak_comparison.both.outcomes"]
    assert table.groupby("repetition")["leaks_let_in"].first().tolist() == [3, 0]
    assert set(table["variant"]) == {"leak_comparison.both"}


# ---- how many are added, and how they are mixed in


@pytest.fixture(scope="module")
def adding() -> Pipeline:
    return added_images.create_pipeline(study_of(only="text+words"))


def test_each_chosen_row_brings_its_images_once_a_draw_and_learns_once(adding):
    assert set(bringing(adding)) == {
        *(f"added_images.text__all.retrieve_repetition_{n}" for n in (0, 1)),
        *(f"added_images.words__all.generate_repetition_{n}" for n in (0, 1)),
    }
    learned = [name for name in named(adding, "personalise.") if "collect" not in name]
    assert sorted(learned) == ["personalise.words_repetition_0", "personalise.words_repetition_1"]


def test_images_are_the_rows_own_and_more_of_them(adding):
    of_row = named(rows_of(study_of()))["words.generate_repetition_1"].func.keywords
    own = bringing(adding)["added_images.words__all.generate_repetition_1"].func.keywords
    changed = {key for key in own if own[key] is not of_row[key] and own[key] != of_row[key]}
    assert changed == {"strategy"}  # 3 times the originals is the largest number here, and the row's
    more = study_of(only="words", added_images={"times_originals": [6], "added_shares": [0.25], "repetitions": 2})
    own = bringing(added_images.create_pipeline(more))["added_images.words__all.generate_repetition_1"].func.keywords
    assert (own["added_per_original"], of_row["added_per_original"]) == (6, 3)
    assert own["seed_parts"] == of_row["seed_parts"]


def test_all_variants_are_trained_on_the_first_of_the_same_images(adding):
    trained = named(adding, ".train_")
    variants = {name.split(".")[1] for name in trained}
    assert variants == {
        f"{row}__times_{times}_share_{share}"
        for row in ("text", "words")
        for times, share in (("0_5", "0_5"), ("2", "0_5"), ("3", "0_5"), ("3", "0_25"))
    }  # and the source of the images, of which nothing is asked, is not
    row = training(named(rows_of(study_of()))["text.train_repetition_0"])
    limits = {"0_5": 0.5, "2": 2, "3": 3}
    for name, node in trained.items():
        strategy, rest = name.split(".")[1].split("__times_")
        times, share = rest.split("_share_")
        repetition = name[-1]
        own = training(node)
        assert own["added_per_original"] == limits[times]
        assert own["overrides"].added_share == float(share.replace("_", "."))
        assert (own["originals"], own["mix"]) == (1.0, row["mix"])
        images = [each for each in node.inputs if each.endswith(".added_images")]
        assert images == [f"added_images.{strategy}__all.repetition_{repetition}.added_images"]
        if repetition == "0":
            assert (own["seed"], own["subset"]) == (row["seed"], row["subset"])


def test_one_table_is_made_of_all_and_nothing_that_it_does_not_need(adding):
    refused = {name for name in adding.outputs() if name.endswith(".refused_images")}  # come with the images
    assert adding.outputs() - refused == {"added_images.table"}
    assert not named(adding, "measure_set")
    weigh = named(adding)["weigh_added_images"]
    assert set(weigh.inputs) == {"added_images.text.outcomes", "added_images.words.outcomes"}
    outcomes = {name: named(adding)[f"{name.removesuffix('.outcomes')}.collect_outcomes"] for name in weigh.inputs}
    collected = {name: node.run(frames(node))[name] for name, node in outcomes.items()}
    table = weigh.run(collected)["added_images.table"]
    assert table[["strategy", "times_originals", "added_share"]].to_numpy().tolist() == [
        [row, times, share] for row in ("text", "words") for times, share in ((0.5, 0.5), (2, 0.5), (3, 0.5), (3, 0.25))
    ]
    for position, variant in enumerate(weigh.func.args[0]):
        own = collected[f"added_images.{variant['strategy']}.outcomes"].query("variant == @variant['variant']")
        assert table["val_top1_mean"][position] == np.mean(own.groupby("repetition")["val_top1"].first())


def test_rows_that_add_nothing_are_left_out_and_of_those_alone_there_is_no_table():
    pipeline = added_images.create_pipeline(study_of(only="original_only+text"))
    assert {name.split(".")[1].split("__")[0] for name in named(pipeline, ".train_")} == {"text"}
    (node,) = added_images.create_pipeline(study_of(only="original_only")).nodes
    with pytest.raises(UserError, match="added_images: none of original_only generates or retrieves; name one that"):
        node.run({})


# ---- all of them


def test_test_images_reach_the_prediction_and_as_fingerprints_the_screening_and_nothing_else(whole, adding):
    for pipeline in (whole, adding):
        readers = {node.func.__name__ for node in pipeline.nodes if "target.test" in node.inputs}
        assert readers == {"predict_test", "fingerprint_protected"}
    of_screening = {node.func.__name__ for node in whole.nodes if "screening.protected" in node.inputs}
    assert of_screening == {"bring_images", "check_screening", "collect_leaky_outcomes"}


def test_what_was_predicted_of_test_images_trains_nothing_and_brings_nothing(whole, adding):
    for pipeline in (whole, adding):
        predicted = {name for name in pipeline.all_outputs() if name.endswith((".predictions", ".outcomes"))}
        after = pipeline.from_inputs(*predicted)
        assert not {node.func.__name__ for node in after.nodes} & {"train_classifier", "bring_images", "measure_set"}


def test_a_linear_probe_is_tested_with_its_clip_here_too():
    nodes = named(leak_comparison.create_pipeline(study_of()), "leak_comparison.probe.")
    for what in ("train", "predict_test"):
        node = nodes[f"leak_comparison.probe.{what}_repetition_0"]
        assert "clip" in node.inputs
        assert "gpu" in node.tags


def test_every_dataset_has_a_file_of_its_own(whole, adding):
    arguments = {"base_env": "base", "default_run_env": "base", **CONFIG_LOADER_ARGS}
    catalog = DataCatalog.from_config(WorldConfigLoader(conf_source=str(ROOT / "conf"), **arguments)["catalog"])
    names = whole.datasets() | adding.datasets()
    files: dict[str, str] = {}
    for name in sorted(name for name in names if not name.startswith("params:")):
        path = str(getattr(catalog[name], "_filepath", None) or name)  # no list of what was taken down has no file
        assert path not in files, (name, files.get(path))
        files[path] = name
    assert len(files) > 100
