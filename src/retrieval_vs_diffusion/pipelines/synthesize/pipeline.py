"""Personalisations are learned once a draw and shared; then each strategy's images are generated."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.steps import step_nodes
from retrieval_vs_diffusion.pipelines.synthesize import nodes
from retrieval_vs_diffusion.strategies.source import class_fields_of
from retrieval_vs_diffusion.strategies.wiring import datasets_of
from retrieval_vs_diffusion.study import Study


def create_pipeline(study: Study) -> Pipeline:
    """Learn what any strategy names under ``personalise``, then generate."""
    named = {strategy.personalise for strategy in study.strategies.values()}
    personalise = [node for name in study.personalisations if name in named for node in _personalise_nodes(study, name)]
    return Pipeline([*personalise, *step_nodes(study, ["generate"], tag="synthesize")])


def _personalise_nodes(study: Study, name: str) -> list[Node]:
    draws = tuple(study.draws("personalisation"))
    collect = Node(
        bound(nodes.collect_learned, draws),
        inputs=[f"personalise.{name}.{draw}.learned" for draw in draws],
        outputs=f"personalise.{name}.collection",
        name=f"collect_{name}",
        namespace="personalise",
        tags=["synthesize"],
    )
    return [*(_personalise_node(study, name, draw) for draw in draws), collect]


def _personalise_node(study: Study, name: str, draw: str) -> Node:
    personalisation = study.personalisations[name]
    resources = datasets_of(personalisation.needs)
    seed_parts = (study.parameters.world, "personalise", name, draw)
    class_table = study.class_table.only(class_fields_of(personalisation))
    return Node(
        bound(nodes.learn_personalisation, personalisation, name, seed_parts, study.subset_of(draw), class_table),
        inputs={
            "class_names": "target.classes",
            "originals_per_class": "target.originals_per_class",
            "compute": "params:compute",
            **resources,
        },
        outputs=f"personalise.{name}.{draw}.learned",
        name=f"{name}_{draw}",
        namespace="personalise",
        tags=["synthesize", "gpu"],
    )
