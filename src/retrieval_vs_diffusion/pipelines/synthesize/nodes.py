"""Nodes that personalise the diffusion model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retrieval_vs_diffusion.strategies.source import Surroundings

if TYPE_CHECKING:
    from retrieval_vs_diffusion.images.target import SubsetDraw
    from retrieval_vs_diffusion.strategies.learned import Learned


def learn_personalisation(
    personalisation: Any,
    name: str,
    seed_parts: tuple[str | int, ...],
    subset: SubsetDraw,
    class_names: list[str],
    compute: dict[str, Any],
    **inputs: Any,
) -> Learned:
    """Learn from the repetition's originals what the strategies that name this personalisation share."""
    from retrieval_vs_diffusion.strategies.wiring import prepare

    resources = prepare(inputs, personalisation.needs, subset, class_names, compute)
    return personalisation.learn(Surroundings(tuple(class_names), name, seed_parts, resources))
