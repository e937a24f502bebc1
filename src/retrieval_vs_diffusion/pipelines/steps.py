"""The nodes that bring a strategy's images, one for each of its steps and draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedro.pipeline import Node

from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.strategies.composition import Step, StepKind, Strategy
from retrieval_vs_diffusion.strategies.source import ImageSource, Surroundings
from retrieval_vs_diffusion.strategies.wiring import MODEL_RESOURCES, datasets_of, prepare, resources_of
from retrieval_vs_diffusion.study import SHARED, Study

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.images.target import SubsetDraw


def step_nodes(study: Study, kinds: Sequence[StepKind], tag: str) -> list[Node]:
    """Nodes for all steps of the given kinds, in all strategies and draws."""
    return [
        _step_node(study, strategy, position, step, draw, tag)
        for strategy in study.strategies.values()
        for position, step in enumerate(strategy.steps)
        if step.kind in kinds
        for draw in study.draws("added_images")
    ]


def _step_node(study: Study, strategy: Strategy, position: int, step: Step, draw: str, tag: str) -> Node:
    personalised = draw if "personalisation" in study.parameters.repetitions.redraw else SHARED
    learned = f"personalise.{strategy.personalise}.{personalised}.learned" if strategy.personalise else None
    resources = resources_of(step, strategy)
    inputs = datasets_of(resources, learned)
    if position:
        inputs["previous"] = _output(strategy, position - 1, draw)
    function = bound(
        bring_images,
        source=step.source,
        strategy=strategy.name,
        per_class=study.added_per_class(strategy),
        seed_parts=(study.parameters.world, strategy.name, draw, position),
        subset=study.subset_of(draw) if "reservoir" in inputs else None,
    )
    fixed = {
        "class_names": "target.classes",
        "protected": "screening.protected",
        "screening": "params:screening",
        "compute": "params:compute",
    }
    return Node(
        function,
        inputs={**fixed, **inputs},
        outputs=_output(strategy, position, draw),
        name=f"{step.kind}_{draw}" + (f"_step_{position}" if len(strategy.steps) > 1 else ""),
        namespace=strategy.name,
        tags=[tag, strategy.name, *(["gpu"] if set(MODEL_RESOURCES) & set(resources) else [])],
    )


def _output(strategy: Strategy, position: int, draw: str) -> str:
    last = position == len(strategy.steps) - 1
    return f"{strategy.name}.{draw}.added_images" if last else f"{strategy.name}.{draw}.images_of_step_{position}"


def bring_images(
    source: ImageSource,
    strategy: str,
    per_class: int,
    seed_parts: tuple[str | int, ...],
    subset: SubsetDraw | None,
    class_names: list[str],
    protected: pd.DataFrame,
    screening: dict[str, Any],
    compute: dict[str, Any],
    previous: ImageTable | None = None,
    **inputs: Any,
) -> ImageTable:
    """Bring ``per_class`` screened images a class from one source; the ledger says what was refused."""
    from retrieval_vs_diffusion.images.screening import Gate, Screening
    from retrieval_vs_diffusion.strategies.collect import collect

    resources = prepare(inputs, source.needs, subset, class_names, compute)
    if "learned" in resources:
        resources["diffusion"].add_words(resources["learned"].vectors)
    surroundings = Surroundings(tuple(class_names), strategy, seed_parts, resources, previous)
    return collect(source, per_class, surroundings, Gate(Screening.model_validate(screening), protected))
