"""The same classifier is trained for every strategy and repetition, or the one that a strategy asks for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.execution.digest import digest_of_path, units_fit_any
from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.train import nodes
from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.strategies.composition import Strategy, Variant
from retrieval_vs_diffusion.study import Study
from retrieval_vs_diffusion.training.recipe_checks import check_model, init_file


def create_pipeline(study: Study) -> Pipeline:
    """One node for each strategy and repetition.

    Raises:
        UserError: if a classifier's model or the file that it starts from is not there.
    """
    digest = functools.cache(digest_of_path)  # for this call alone: by the next one a file may have changed
    return Pipeline([node for strategy in study.strategies.values() for node in _train_nodes(study, strategy, digest)])


def _train_nodes(study: Study, strategy: Strategy, digest: Callable[[Path], str | None]) -> list[Node]:
    recipe = study.parameters.classifier.overridden_by(strategy.classifier)
    if recipe.features == "clip":
        return [_train_node(study, strategy, repetition, "clip", None) for repetition in study.repetitions]
    check_model(recipe.model, _place("model", strategy))
    start = init_file(recipe.init, _place("init", strategy))
    init_digest = digest(start) if start else None
    return [_train_node(study, strategy, repetition, "pixels", init_digest) for repetition in study.repetitions]


def _place(field: str, strategy: Strategy) -> str:
    """Where in the parameters a field of a strategy's classifier stands."""
    return f"strategies.{strategy.name}.classifier" if field in strategy.classifier.model_fields_set else "classifier"


def _train_node(study: Study, strategy: Strategy, repetition: int, features: str, init_digest: str | None) -> Node:
    # The same initialisation and batch order for all strategies of a repetition: their differences are
    # the added images' alone, and pairs can be compared.
    seed = derive_seed(study.parameters.world, "classifier", study.draw("classifier", repetition))
    description = f"{strategy.name}, repetition {repetition}: training"
    key = f"{strategy.name}.repetition_{repetition}"
    inputs = {
        "reservoir": "target.reservoir",
        "originals_per_class": "target.originals_per_class",
        "val": "target.val",
        "class_names": "target.classes",
        "recipe": "params:classifier",
        "compute": "params:compute",
    }
    variant = strategy.variant or Variant(of=strategy.name)
    if strategy.adds_images:
        draw = study.draw("added_images", repetition)
        inputs["added"] = f"{variant.images_of or strategy.name}.{draw}.added_images"
    if features == "clip":
        inputs["clip"] = "clip"
    subset = study.subset_of(f"repetition_{repetition}")
    function = bound(
        nodes.train_classifier,
        strategy.mix,
        strategy.classifier,
        init_digest,
        seed,
        description,
        subset,
        variant.originals,
        variant.added_per_original,
        processes=study.parameters.compute.processes if features == "pixels" else 1,
    )
    return Node(
        # Another number rounds otherwise, so the result is another. But any number goes on from the state at a look,
        # and fewer are what a run may need that was ended for want of memory.
        units_fit_any(function, "processes"),
        inputs=inputs,
        outputs=[f"{key}.classifier", f"{key}.history", f"{key}.training_record"],
        name=f"train_repetition_{repetition}",
        namespace=strategy.name,
        tags=["train", *(["gpu"] if features == "clip" else [])],
    )
