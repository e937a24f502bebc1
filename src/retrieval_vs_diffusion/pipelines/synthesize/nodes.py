"""Nodes that personalise the diffusion model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from retrieval_vs_diffusion.strategies.class_table import ClassTable
from retrieval_vs_diffusion.strategies.personalisation import Personalisation
from retrieval_vs_diffusion.strategies.source import Surroundings

if TYPE_CHECKING:
    from retrieval_vs_diffusion.images.target import SubsetDraw
    from retrieval_vs_diffusion.strategies.learned import Learned


def learn_personalisation(
    personalisation: Personalisation,
    name: str,
    seed_parts: tuple[str | int, ...],
    subset: SubsetDraw,
    class_table: ClassTable,
    class_names: list[str],
    originals_per_class: list[int],
    compute: dict[str, Any],
    **inputs: Any,
) -> Learned:
    """Learn from the repetition's originals what the strategies that name this personalisation share."""
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.strategies.metering import metered
    from retrieval_vs_diffusion.strategies.wiring import prepare

    resources = prepare(inputs, personalisation.needs, subset, class_names, originals_per_class, compute)
    surroundings = Surroundings(tuple(class_names), name, seed_parts, resources, class_table=class_table)
    with metered(choose_device(**compute), resources.get("diffusion")) as cost:
        learned = personalisation.learn(surroundings)
    return replace(learned, cost=cost())


def collect_learned(draws: tuple[str, ...], *learned: Learned) -> dict[str, Learned]:
    """What one personalisation learned in all its draws: the one artifact that leaves its box."""
    return dict(zip(draws, learned, strict=True))
