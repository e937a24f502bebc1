"""The same classifier is trained for every strategy and repetition."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.train import nodes
from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.strategies.composition import Strategy
from retrieval_vs_diffusion.study import Study


def create_pipeline(study: Study) -> Pipeline:
    """One node for each strategy and repetition."""
    return Pipeline(
        [
            _train_node(study, strategy, repetition)
            for strategy in study.strategies.values()
            for repetition in study.repetitions
        ]
    )


def _train_node(study: Study, strategy: Strategy, repetition: int) -> Node:
    # The same initialisation and batch order for all strategies of a repetition: their differences are
    # the added images' alone, and pairs can be compared.
    seed = derive_seed(study.parameters.world, "classifier", study.draw("classifier", repetition))
    description = f"{strategy.name}, repetition {repetition}: training"
    key = f"{strategy.name}.repetition_{repetition}"
    inputs = {
        "reservoir": "target.reservoir",
        "train_per_class": "params:target.train_per_class",
        "val": "target.val",
        "class_names": "target.classes",
        "recipe": "params:classifier",
        "compute": "params:compute",
    }
    if strategy.adds_images:
        inputs["added"] = f"{strategy.name}.{study.draw('added_images', repetition)}.added_images"
    return Node(
        bound(nodes.train_classifier, strategy.mix, seed, description, study.subset_of(f"repetition_{repetition}")),
        inputs=inputs,
        outputs=[f"{key}.classifier", f"{key}.history"],
        name=f"train_repetition_{repetition}",
        namespace=strategy.name,
        tags=["train", strategy.name],
    )
