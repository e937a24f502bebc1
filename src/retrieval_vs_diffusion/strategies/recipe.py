"""The recipe of a generated image: all that it takes to make it again, fixed before it is made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from retrieval_vs_diffusion.images.image_table import image_row
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies import prompts
from retrieval_vs_diffusion.strategies.conditions import ClassPrompts, Conditions
from retrieval_vs_diffusion.strategies.source import Surroundings

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.diffusion import Condition, Diffusion


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


def generated_rows(
    made: Iterator[UInt8[np.ndarray, "h w 3"]],
    todo: Sequence[Recipe],
    sampling: Sampling,
    diffusion: Diffusion,
    surroundings: Surroundings,
    parents: Sequence[str | None],
    **how: Any,
) -> Iterator[dict[str, Any]]:
    """Rows of generated images; each says all that it takes to make its image again.

    Args:
        made: the images, in the order of their recipes.
        parents: ``image_id`` of the image that each was made from.
        how: the generator and its own settings, e.g. ``generator="image_to_image", strength=0.5``.
    """
    import torch

    about = {
        **how,
        "sampling": sampling.model_dump(mode="json"),
        "precision": str(diffusion.pipeline.dtype).removeprefix("torch."),
        "device": diffusion.device.type,
        "threads": torch.get_num_threads(),  # the last bits depend on it
        "personalised": surroundings.personalised,
    }
    written = json.dumps(about, sort_keys=True)
    for recipe, parent, pixels in zip(todo, parents, made, strict=True):
        yield image_row(
            pixels,
            recipe.image_id,
            label=recipe.label,
            source=how["generator"],
            prompt=recipe.prompt,
            seed=recipe.seed,
            checkpoint=diffusion.checkpoint,
            recipe=written,
            parent=parent,
        )
