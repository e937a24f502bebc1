"""The nodes that bring a strategy's images, one for each of its steps and draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kedro.pipeline import Node

from retrieval_vs_diffusion.pipelines.bound import bound, picking
from retrieval_vs_diffusion.strategies.class_table import ClassTable
from retrieval_vs_diffusion.strategies.composition import Step, StepKind, Strategy
from retrieval_vs_diffusion.strategies.personalisation import Personalisation
from retrieval_vs_diffusion.strategies.source import ImageSource, Surroundings, class_fields_of
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
        per_class=study.added_per_class(strategy),
        seed_parts=(study.parameters.world, strategy.seeded_as, draw, position),
        subset=study.subset_of(draw) if "reservoir" in inputs else None,
        class_table=study.class_table.only(class_fields_of(step.source)),
        personalisation=study.personalisations[str(strategy.personalise)] if generates else None,
        personalised=personalised if generates else None,
        lets_leaks_through=strategy.variant is not None and strategy.variant.lets_leaks_through,
    )
    fixed = {
        "class_names": "target.classes",
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


def bring_images(
    source: ImageSource,
    strategy: str,
    per_class: int,
    seed_parts: tuple[str | int, ...],
    subset: SubsetDraw | None,
    class_table: ClassTable,
    personalisation: Personalisation | None,
    personalised: str | None,
    lets_leaks_through: bool,
    class_names: list[str],
    protected: pd.DataFrame,
    screening: dict[str, Any],
    compute: dict[str, Any],
    previous: ImageTable | None = None,
    **inputs: Any,
) -> tuple[ImageTable, ImageTable]:
    """Bring ``per_class`` screened images a class from one source; also examples of what was refused.

    The ledger says how many were refused and why, and what the step cost.

    Args:
        source: the part that brings them.
        strategy: whose step it is.
        per_class: images a class that the strategy adds.
        seed_parts: world, strategy, draw and step.
        subset: which images of the reservoir are the originals; None where the part needs none.
        class_table: what the part's prompts use of it.
        personalisation: the part that teaches the diffusion model what it learned; None without one.
        personalised: the draw of the personalisation that is used.
        lets_leaks_through: whether copies of validation and test images pass, to measure what they would buy.
    """
    from retrieval_vs_diffusion.images.screening import Gate, Screening
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.strategies.collect import collect
    from retrieval_vs_diffusion.strategies.metering import metered

    resources = prepare(inputs, source.needs, subset, class_names, compute)
    surroundings = Surroundings(tuple(class_names), strategy, seed_parts, resources, previous, class_table)
    gate = Gate(Screening.model_validate(screening), protected, lets_leaks_through)
    with metered(choose_device(**compute), resources.get("diffusion")) as cost:
        if personalisation is not None:
            learned = resources["learned"][personalised]
            conditions = personalisation.teach(learned, resources["diffusion"], surroundings)
            surroundings = replace(surroundings, conditions=conditions, personalised=learned.name)
        collected = collect(source, per_class, surroundings, gate)
    collected.images.ledger["steps"][-1]["cost"] = cost().to_dict()
    return collected.images, collected.refused
