"""The nodes that bring images, and the two compositions of retrieval and generation with real, tiny models."""

from pathlib import Path

import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.screening import REASONS, fingerprint
from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.models.cost_meter import Cost
from retrieval_vs_diffusion.models.vector_index import Embeddings, build_index
from retrieval_vs_diffusion.pipelines.bound import PICKS
from retrieval_vs_diffusion.pipelines.bring_images import bring_images
from retrieval_vs_diffusion.pipelines.steps import step_nodes
from retrieval_vs_diffusion.pipelines.synthesize import create_pipeline
from retrieval_vs_diffusion.strategies.composition import parse_strategy
from retrieval_vs_diffusion.strategies.source import class_fields_of
from retrieval_vs_diffusion.strategies.wiring import datasets_of
from retrieval_vs_diffusion.study import read_study
from tests.test_study import parameters

BY_TEXT = {"retrieve": {"type": "by_text", "near_duplicates": {"similarity": 1.01}}}
RESTYLE = {"generate": {"type": "image_to_image", "start_from": "previous_step", "strength": 0.5}}
STRATEGIES = {
    "prompts": {"generate": {"type": "text_to_image"}},
    "words": {"personalise": "inversion", "generate": {"type": "text_to_image"}},
    "restyled": {"personalise": "inversion", "steps": [BY_TEXT, RESTYLE]},
    "defined": {"retrieve": {"type": "by_text", "prompts": "{definition}"}},
}


def study_of(**changes):
    inversion = {"inversion": {"type": "textual_inversion"}, "unused": {"type": "textual_inversion"}}
    usual = {"strategies": STRATEGIES, "personalisations": inversion, "classes": {"path": "conf/base/classes.csv"}}
    return read_study(parameters(**usual, **changes), Path(__file__).parents[2])


def named(study, *kinds: str) -> dict:
    return {node.name: node for node in step_nodes(study, kinds, tag="synthesize")}


def test_each_step_is_a_node_in_each_draw_and_reads_the_step_before():
    nodes = named(study_of(repetitions={"number": 2}), "generate", "retrieve")
    assert set(nodes) == {
        f"{strategy}.{step.format(draw)}"
        for draw in ("repetition_0", "repetition_1")
        for strategy, step in (
            *(("prompts", "generate_{}"), ("words", "generate_{}"), ("defined", "retrieve_{}")),
            *(("restyled", "retrieve_{}_step_0"), ("restyled", "generate_{}_step_1")),
        )
    }
    first, second = (nodes[f"restyled.{kind}_repetition_1_step_{n}"] for n, kind in enumerate(("retrieve", "generate")))
    assert first.outputs == ["restyled.repetition_1.images_of_step_0", "restyled.repetition_1.refused_images_of_step_0"]
    assert first.outputs[0] in second.inputs
    assert second.outputs == ["restyled.repetition_1.added_images", "restyled.repetition_1.refused_images"]
    assert "personalise.inversion.collection" in second.inputs
    assert "personalise.inversion.collection" not in first.inputs


def test_no_row_lets_a_leak_through_and_no_entry_can_ask_for_it():
    nodes = named(study_of(), "generate", "retrieve")
    assert [node.func.keywords["lets_leaks_through"] for node in nodes.values()] == [False] * len(nodes)
    with pytest.raises(UserError, match=r"strategies\.a\.variant: there is no such key here"):
        parse_strategy("a", {"retrieve": {"type": "by_text"}, "variant": {"of": "a", "lets_leaks_through": True}}, {})
    with pytest.raises(UserError, match=r"screening\.lets_leaks_through: there is no such key here"):
        read_study(parameters(screening={"leak_similarity": 0.93, "lets_leaks_through": True}))


def test_a_generating_step_picks_its_own_draw_of_what_was_learned():
    nodes = named(study_of(repetitions={"number": 2}), "generate")
    for draw in ("repetition_0", "repetition_1"):
        picks = getattr(nodes[f"words.generate_{draw}"].func, PICKS)
        assert picks == {"personalise.inversion.collection": f"personalise.inversion.{draw}.learned"}
    assert not hasattr(nodes["prompts.generate_repetition_0"].func, PICKS)


def test_what_is_learned_once_is_picked_by_all_repetitions():
    redraw = ["added_images", "classifier"]
    nodes = named(study_of(repetitions={"number": 2, "redraw": redraw}), "generate")
    picked = {
        getattr(nodes[f"words.generate_repetition_{n}"].func, PICKS)["personalise.inversion.collection"] for n in (0, 1)
    }
    assert picked == {"personalise.inversion.shared.learned"}


def test_a_personalisation_is_learned_once_a_draw_if_any_strategy_names_it():
    learned = {
        node.name
        for node in create_pipeline(study_of(repetitions={"number": 2})).nodes
        if node.namespace == "personalise"
    }
    assert learned == {
        "personalise.inversion_repetition_0",
        "personalise.inversion_repetition_1",
        "personalise.collect_inversion",
    }


@pytest.fixture
def bring(clip, diffusion, pool, target):
    """Run the steps of a composition for all ten classes, four images each; images and refused ones of each step."""
    embeddings = Embeddings(clip.embed_images(pool.pixels()), clip.name)
    datasets = {
        "clip": clip,
        "pool": pool,
        **{"takedown": frozenset(), "store": None, "downloads": {}},
        "embeddings": embeddings,
        "index": build_index(embeddings),
        "diffusion": diffusion,
        "sampling": {"steps": 1, "batch_size": 20, "guidance_scale": 1.0},
    }

    def run(*steps: dict) -> list:
        made: list = []
        for position, step in enumerate(parse_strategy("toy", {"steps": list(steps)}, {}).steps):
            images, refused = bring_images(
                source=step.source,
                strategy="toy",
                added_per_original=2.0,
                seed_parts=("toy", "toy", "repetition_0", position),
                subset=SubsetDraw(0),
                class_table=study_of().class_table.only(class_fields_of(step.source)),
                personalisation=None,
                personalised=None,
                lets_leaks_through=False,
                class_names=list(target.class_names),
                originals_per_class=[2] * 10,
                protected=fingerprint(target.val.take([0]), target.test.take([0])),
                screening={"leak_similarity": 0.99, "black_below": 0},
                compute={"device": "cpu", "threads": 1},
                previous=made[-1][0] if made else None,
                **{name: datasets[name] for name in datasets_of(step.source.needs)},
            )
            made.append((images, refused))
        return made

    return run


def test_generation_fills_up_the_classes_for_which_the_pool_has_too_little(bring):
    (found, _), (filled, _) = bring(BY_TEXT, STRATEGIES["prompts"])
    by_class = np.bincount(found.labels(), minlength=10)
    assert 0 < len(found) < 40  # a CLIP of two training steps leaves some classes without images
    assert np.bincount(filled.labels(), minlength=10).tolist() == [4] * 10
    assert set(found.column("image_id")) <= set(filled.column("image_id"))
    generated = [label for label, made in zip(filled.labels(), filled.column("checkpoint"), strict=True) if made]
    assert np.bincount(generated, minlength=10).tolist() == (4 - by_class).tolist()
    check_ledger(filled, found)
    second = filled.ledger["steps"][1]["classes"]
    assert [line["asked"] for line in second.values()] == (4 - by_class).tolist()


def test_restyling_replaces_the_retrieved_images_by_those_made_from_them(bring):
    (found, _), (restyled, _) = bring(BY_TEXT, RESTYLE)
    with_images = set(found.labels().tolist())
    assert set(restyled.labels().tolist()) == with_images  # what has nothing to start from gets nothing
    assert all(restyled.column("checkpoint"))
    label_of = dict(zip(found.column("image_id"), found.labels(), strict=True))
    assert [label_of[parent] for parent in restyled.column("parent")] == restyled.labels().tolist()
    for label in with_images:
        own = [parent for parent in restyled.column("parent") if label_of[parent] == label]
        there = [each for each in label_of if label_of[each] == label]
        assert set(own) == set(there)  # each of them in turn
    check_ledger(restyled, found)
    short = [line["short_by"] for line in restyled.ledger["steps"][1]["classes"].values()]
    assert short == [0 if label in with_images else 4 for label in range(10)]  # four images a class were asked for


def test_a_floor_leaves_classes_short_and_generation_fills_them_and_what_it_kept_out_is_kept_as_examples(bring):
    by_text = {"retrieve": {**BY_TEXT["retrieve"], "similarity_floor": 0.999}}
    (found, refused), (filled, _) = bring(by_text, STRATEGIES["prompts"])
    (step,) = found.ledger["steps"]
    below = {name: line["below_floor"] for name, line in step["classes"].items()}
    assert sum(below.values()) > 0
    assert {each.partition(":")[0] for each in refused.column("refused")} == {"below_floor"}
    assert len(refused) == sum(below.values())  # at most four of each class, as many as are asked for
    check_ledger(filled, found)
    assert np.bincount(filled.labels(), minlength=10).tolist() == [4] * 10


def check_ledger(last, first):
    """Two steps; each line adds up, and each step says what it cost."""
    retrieved, generated = last.ledger["steps"]
    assert retrieved == first.ledger["steps"][0]
    for step in (retrieved, generated):
        for line in step["classes"].values():
            assert line["brought"] == line["used"] + sum(line[reason] for reason in REASONS)
            assert line["asked"] == line["used"] + line["short_by"]
    costs = [Cost.from_dict(step["cost"]) for step in (retrieved, generated)]
    assert costs[0].flops == 0 < costs[1].flops  # the diffusion model's alone
    for step, cost in zip((retrieved, generated), costs, strict=True):
        assert 0 < step["seconds"]["bring"] + step["seconds"]["screen"] <= cost.seconds
