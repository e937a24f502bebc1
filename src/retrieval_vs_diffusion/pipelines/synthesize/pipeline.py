"""Personalisations are learned once a draw and shared; then each strategy's images are generated."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.steps import step_nodes
from retrieval_vs_diffusion.pipelines.synthesize import nodes
from retrieval_vs_diffusion.strategies.wiring import datasets_of
from retrieval_vs_diffusion.study import Study


def create_pipeline(study: Study) -> Pipeline:
    """Learn what any strategy names under ``personalise``, then generate."""
    named = {strategy.personalise for strategy in study.strategies.values()}
    personalise = [
        _personalise_node(study, name, draw)
        for name in study.personalisations
        if name in named
        for draw in study.draws("personalisation")
    ]
    return Pipeline([*personalise, *step_nodes(study, ["generate"], tag="synthesize")])


def _personalise_node(study: Study, name: str, draw: str) -> Node:
    personalisation = study.personalisations[name]
    resources = datasets_of(personalisation.needs)
    seed_parts = (study.parameters.world, "personalise", name, draw)
    return Node(
        bound(nodes.learn_personalisation, personalisation, name, seed_parts, study.subset_of(draw)),
        inputs={"class_names": "target.classes", "compute": "params:compute", **resources},
        outputs=f"personalise.{name}.{draw}.learned",
        name=f"{name}_{draw}",
        namespace="personalise",
        tags=["synthesize", "gpu"],
    )
