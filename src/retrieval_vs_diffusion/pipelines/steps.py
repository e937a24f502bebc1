"""The nodes that bring a strategy's images, one for each of its steps and draws."""

from __future__ import annotations

from collections.abc import Sequence

from kedro.pipeline import Node

from retrieval_vs_diffusion.pipelines.bound import bound, picking
from retrieval_vs_diffusion.pipelines.bring_images import bring_images
from retrieval_vs_diffusion.strategies.composition import Step, StepKind, Strategy
from retrieval_vs_diffusion.strategies.source import class_fields_of
from retrieval_vs_diffusion.strategies.wiring import MODEL_RESOURCES, datasets_of, resources_of
from retrieval_vs_diffusion.study import SHARED, Study


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
    collection = f"personalise.{strategy.personalise}.collection"
    learned = f"personalise.{strategy.personalise}.{personalised}.learned"
    resources = resources_of(step, strategy)
    generates = "learned" in resources
    inputs = datasets_of(resources, collection)
    if position:
        inputs["previous"] = _output(strategy, position - 1, draw)
    function = bound(
        bring_images,
        source=step.source,
        strategy=strategy.name,
        added_per_original=study.added_per_original(strategy),
        seed_parts=(study.parameters.world, strategy.seeded_as, draw, position),
        subset=study.subset_of(draw) if "reservoir" in inputs else None,
        class_table=study.class_table.only(class_fields_of(step.source)),
        personalisation=study.personalisations[str(strategy.personalise)] if generates else None,
        personalised=personalised if generates else None,
        lets_leaks_through=strategy.variant is not None and strategy.variant.lets_leaks_through,
    )
    fixed = {
        "class_names": "target.classes",
        "originals_per_class": "target.originals_per_class",
        "protected": "screening.protected",
        "screening": "params:screening",
        "compute": "params:compute",
    }
    return Node(
        picking(function, {collection: learned}) if generates else function,
        inputs={**fixed, **inputs},
        outputs=[_output(strategy, position, draw), refused_output(strategy, position, draw)],
        name=f"{step.kind}_{draw}" + (f"_step_{position}" if len(strategy.steps) > 1 else ""),
        namespace=strategy.name,
        tags=[tag, *(["gpu"] if set(MODEL_RESOURCES) & set(resources) else [])],
    )


def _output(strategy: Strategy, position: int, draw: str) -> str:
    last = position == len(strategy.steps) - 1
    return f"{strategy.name}.{draw}.added_images" if last else f"{strategy.name}.{draw}.images_of_step_{position}"


def refused_output(strategy: Strategy, position: int, draw: str) -> str:
    """Dataset with examples of what a step's screening refused."""
    last = position == len(strategy.steps) - 1
    return f"{strategy.name}.{draw}.refused_images" + ("" if last else f"_of_step_{position}")
