"""The recipe of a generated image: all that it takes to make it again, fixed before it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies import prompts
from retrieval_vs_diffusion.strategies.conditions import ClassPrompts, Conditions
from retrieval_vs_diffusion.strategies.source import Surroundings

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.diffusion import Condition


@dataclass(frozen=True)
class Recipe:
    """What one generated image is made of."""

    label: int
    number: int  # among the images of its class
    prompt: str
    condition: Condition
    seed: int
    image_id: str


def recipes(
    templates: Sequence[str], wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
) -> list[Recipe]:
    """Recipes of the images asked for; templates are used in turn, by the image's number.

    Each image has a seed of its own, derived from world, strategy, repetition, class and number: it is
    the same image whatever else is made with it.
    """
    conditions: Conditions = surroundings.conditions or ClassPrompts(surroundings.fields())
    templates = prompts.expand(templates)
    made = []
    for label, count in wanted.items():
        name = surroundings.class_names[label]
        for number in range(first[label], first[label] + count):
            shown = conditions.of(label, number, templates)
            image_id = "/".join(map(str, (*surroundings.seed_parts, name, number)))
            seed = surroundings.seed("generate", name, number)
            made.append(Recipe(label, number, shown.prompt, shown.condition, seed, image_id))
    return made


def sampling_of(overrides: Sampling, surroundings: Surroundings) -> Sampling:
    """The world's sampling, with what a strategy sets itself."""
    return Sampling(**{**surroundings.resources["sampling"].model_dump(), **overrides.model_dump(exclude_unset=True)})
