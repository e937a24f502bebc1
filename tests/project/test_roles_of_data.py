"""Where validation and test images go, walked on the graph of every pipeline: validation chooses, test is tested on.

Images travel along edges, each an input of a node by its argument's name. Two of these let no image through, and end a
walk: ``val`` of the training node, which looks at it and learns nothing from it (tests/training/test_fit.py), and
``protected`` of the node that brings images, the fingerprints by which its screening refuses copies.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.pipeline.node import Node

from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies.wiring import datasets_of

TARGET_IMAGES = {"target.reservoir", "target.val", "target.test"}
LEARNS = {"train", "synthesize", "retrieve", "pretrain"}  # tags of steps that bring images or learn from them
CHOOSES = {"tune", "export"}
SCREENING = ("bring_images", "protected")
LOOKS = ("train_classifier", "val")


@part
class Greedy:
    """A part of somebody else's that asks for all there is."""

    @property
    def needs(self) -> tuple[str, ...]:
        return KNOWN

    def propose(self, wanted, first, surroundings):
        yield from ()


def _known_resources() -> tuple[str, ...]:
    with pytest.raises(ValueError, match="resources are") as refused:
        datasets_of(["no such thing"])
    return tuple(name for name in str(refused.value).split("resources are ")[1].split(", ") if name != "learned")


KNOWN = _known_resources()


@dataclass(frozen=True)
class Edge:
    """A dataset that a node is given as an argument."""

    dataset: str
    argument: str
    node: Node

    @property
    def function(self) -> str:
        return self.node.func.__name__


@pytest.fixture(scope="module")
def pipelines(empty_project):
    """All pipelines of a world that has a part of somebody else's too; the export has something to export."""
    from kedro.framework.project import pipelines

    bootstrap_project(empty_project)
    outside = {"generate": {"type": f"{__name__}.Greedy"}}
    asked = {"only": "all", "strategy": "retrieval_text", "strategies": {"outside": outside}}
    with KedroSession.create(empty_project, env="test", runtime_params=asked) as session:
        session.load_context()
        return dict(pipelines)


@pytest.fixture(scope="module")
def edges(pipelines):
    """Of all pipelines together."""
    nodes = {node.name: node for pipeline in pipelines.values() for node in pipeline.nodes}
    return [
        Edge(dataset, argument, node) for node in nodes.values() for argument, dataset in arguments_of(node).items()
    ]


def arguments_of(node: Node) -> dict[str, str]:
    """The node's inputs by the name of the argument that they are given as."""
    if isinstance(node._inputs, dict):
        return dict(node._inputs)
    given = inspect.signature(node.func).bind(*node.inputs).arguments
    flat = {name: value for name, value in given.items() if isinstance(value, str)}
    several = {name: value for name, value in given.items() if isinstance(value, tuple)}
    return flat | {f"{name}_{n}": each for name, values in several.items() for n, each in enumerate(values)}


def after(edges: list[Edge], start: str, but: tuple[tuple[str, str], ...] = ()) -> list[Edge]:
    """All edges that lead on from a dataset; those of ``but``, as (function, argument), are not walked."""
    leaving: dict[str, list[Edge]] = {}
    for edge in edges:
        leaving.setdefault(edge.dataset, []).append(edge)
    found, waiting, seen = [], [start], {start}
    while waiting:
        for edge in leaving.get(waiting.pop(), []):
            if (edge.function, edge.argument) not in but:
                found.append(edge)
                waiting += set(edge.node.outputs) - seen
                seen |= set(edge.node.outputs)
    return found


def before(edges: list[Edge], nodes: list[Node], but: tuple[tuple[str, str], ...] = ()) -> set[str]:
    """All datasets that nodes' inputs are made of, and these inputs."""
    makers, entering = {}, {}
    for edge in edges:
        makers |= dict.fromkeys(edge.node.outputs, edge.node.name)
        entering.setdefault(edge.node.name, []).append(edge)
    found, waiting = set(), [node.name for node in nodes]
    while waiting:
        for edge in entering[waiting.pop()]:
            if (edge.function, edge.argument) not in but and edge.dataset not in found:
                found.add(edge.dataset)
                waiting += [makers[edge.dataset]] if edge.dataset in makers else []
    return found


def tags(edges: list[Edge]) -> set[str]:
    return {tag for edge in edges for tag in edge.node.tags} - {"gpu"}


def of(edges: list[Edge]) -> set[tuple[str, str]]:
    return {(edge.function, edge.argument) for edge in edges}


def test_the_walk_covers_every_pipeline(pipelines, edges):
    on_demand = {"plan", "tune", "added_images", "leak_comparison", "size_curve", "export", "pretrain"}
    assert set(pipelines) >= on_demand | {"__default__", "outside"}
    walked = {edge.node.name for edge in edges}
    for name in on_demand:
        last = pipelines[name].nodes[-1]
        assert last.name in walked
        assert last.func.__name__ != "refuse", name  # there is something to walk
    assert {edge.dataset for edge in edges} >= TARGET_IMAGES
    assert any(edge.node.name == "outside.generate_repetition_0" for edge in edges)


# ---- test images


def test_test_images_are_given_to_the_prediction_and_the_fingerprints_alone(edges):
    readers = [edge for edge in edges if edge.dataset == "target.test"]
    assert of(readers) == {("predict_test", "test"), ("fingerprint_protected", "test")}
    predicted = {edge.node.name.split(".")[0] for edge in readers if edge.function == "predict_test"}
    assert {"size_curve", "leak_comparison", "added_images", "retrieval_text", "outside"} <= predicted


def test_what_is_said_of_test_images_reaches_nothing_that_learns_brings_images_or_chooses(edges):
    reached = after(edges, "target.test", but=(SCREENING,))
    assert tags(reached) >= {"evaluate"}
    # The fingerprints are told how well they find planted copies, and how many copies were let through.
    assert tags(reached) <= {"evaluate", "data_ingest"}  # and no `train`, `synthesize`, `retrieve`, `tune`, `export`
    assert {edge.function for edge in reached if "data_ingest" in edge.node.tags} == {"fingerprint_protected"}
    assert not {edge.dataset for edge in reached if edge.dataset.endswith((".classifier", ".added_images", ".learned"))}


def test_their_fingerprints_are_given_to_the_screening_alone(edges):
    readers = of([edge for edge in edges if edge.dataset == "screening.protected"])
    screens = {("bring_images", "protected")}
    # Both count what a gate says: of the pool's planted copies, and of those that a row was given on purpose.
    counts = {("check_screening", "protected"), ("collect_leaky_outcomes", "protected")}
    assert readers == screens | counts


# ---- validation images


def test_validation_images_reach_training_as_what_is_looked_at_and_not_otherwise(edges):
    readers = of([edge for edge in edges if edge.dataset == "target.val"])
    assert readers == {
        ("train_classifier", "val"),  # the looks
        ("fingerprint_protected", "val"),
        ("embed", "images"),  # what added images are measured against
        ("check_judge", "val"),
        ("measure_fairness", "val"),  # figures of the model card
    }
    reached = after(edges, "target.val", but=(SCREENING, LOOKS))
    assert not tags(reached) & (LEARNS - {"pretrain"} | CHOOSES)
    assert {edge.function for edge in reached if "pretrain" in edge.node.tags} == {"measure_fairness"}
    measured = of([edge for edge in edges if edge.dataset == "target.val_embeddings"])
    assert measured == {("measure_set", "val"), ("check_index", "val")}


@pytest.mark.parametrize("function", ["train_classifier", "bring_images", "learn_personalisation", "train_clip"])
def test_what_learns_or_brings_images_is_made_of_the_reservoir_and_the_pool_alone(edges, function):
    nodes = {edge.node.name: edge.node for edge in edges if edge.function == function}
    made_of = before(edges, [*nodes.values()], but=(SCREENING, LOOKS))
    assert made_of
    assert not made_of & {"target.val", "target.test", "target.val_embeddings"}
    assert not {name for name in made_of if name.endswith((".predictions", ".history", ".outcomes"))}


def test_a_personalisation_is_given_neither_validation_nor_fingerprints(edges):
    learning = {edge.node.name: edge.node for edge in edges if edge.function == "learn_personalisation"}
    assert len(learning) > 2
    # Not even what training looks at or the screening compares with stands before it.
    made_of = before(edges, [*learning.values()])
    assert made_of & {*TARGET_IMAGES, "screening.protected", "target.val_embeddings"} == {"target.reservoir"}


def test_no_part_not_even_one_from_outside_can_ask_for_validation_or_test_images(edges):
    assert {"originals", "held_back", "clip", "pool"} <= set(KNOWN)
    given = {edge.dataset for edge in edges if edge.node.name == "outside.generate_repetition_0"}
    assert given & TARGET_IMAGES == {"target.reservoir"}
    assert "target.val_embeddings" not in given
    for asked in ("val", "test", "target.test", "protected"):
        with pytest.raises(ValueError, match="a part needs"):
            datasets_of([asked])


# ---- choosing


def test_tuning_reads_the_looks_at_validation_and_nothing_else(pipelines, edges):
    (weigh,) = [node for node in pipelines["tune"].nodes if "tune" in node.tags]
    assert weigh.inputs
    assert all(name.endswith(".history") for name in weigh.inputs)
    assert "target.test" not in before(edges, [weigh], but=(SCREENING,))
    assert not [name for name in pipelines["tune"].all_outputs() if name.endswith(".predictions")]


def test_what_is_taken_home_was_made_without_test_images(pipelines, edges):
    taken = [node for node in pipelines["export"].nodes if "export" in node.tags]
    assert {node.name for node in taken} == {"export_training_set", "export_classifier", "export_readme"}
    assert "target.test" not in before(edges, taken, but=(SCREENING,))
    (readme,) = [node for node in taken if node.name == "export_readme"]
    # The accuracy that it tells is that of the looks at validation.
    assert "retrieval_text.repetition_0.history" in readme.inputs
    assert not [name for name in pipelines["export"].all_outputs() if name.endswith((".predictions", ".results"))]


def test_the_plan_reads_the_target_by_itself_and_keeps_no_test_image(pipelines):
    assert not pipelines["plan"].all_inputs() & TARGET_IMAGES
    kept = {name for name in pipelines["plan"].all_outputs() if name in {"plan.val", "plan.reservoir", "plan.test"}}
    assert kept == {"plan.val", "plan.reservoir"}
