"""The recipe of a generated image: all that it takes to make it again, fixed before it is made."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from retrieval_vs_diffusion.images.image_table import image_row
from retrieval_vs_diffusion.images.kept_rows import read_rows, write_rows
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.strategies import prompts
from retrieval_vs_diffusion.strategies.conditions import ClassPrompts, Conditions
from retrieval_vs_diffusion.strategies.source import Surroundings
from retrieval_vs_diffusion.unfinished import unfinished
from retrieval_vs_diffusion.work_behind import ended_behind

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.diffusion import Condition, Diffusion

_ENCODERS = min(8, os.cpu_count() or 1)  # threads; eight write 512-pixel JPEGs faster than any GPU samples them


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
    make: Callable[[range], Iterator[UInt8[np.ndarray, "h w 3"]]],
    todo: Sequence[Recipe],
    sampling: Sampling,
    diffusion: Diffusion,
    surroundings: Surroundings,
    parents: Sequence[str | None],
    **how: Any,
) -> Iterator[dict[str, Any]]:
    """Rows of generated images, a batch at a time; each says all that it takes to make its image again.

    A batch is a unit of unfinished work: a run that was killed goes on after the last whole one. While a batch is
    sampled, the images of the one before are encoded, hashed and kept on threads.

    Args:
        make: makes the images of the recipes at these positions, in their order.
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

    def row(position: int, pixels: UInt8[np.ndarray, "h w 3"]) -> dict[str, Any]:
        recipe = todo[position]
        return image_row(
            pixels,
            recipe.image_id,
            label=recipe.label,
            source=how["generator"],
            prompt=recipe.prompt,
            seed=recipe.seed,
            checkpoint=diffusion.checkpoint,
            recipe=written,
            parent=parents[position],
        )

    def ended(number: int, batch: range, pixels: list[UInt8[np.ndarray, "h w 3"]], key: str) -> list[dict[str, Any]]:
        rows = list(encoders.map(row, batch, pixels))
        kept.keep_told(number, partial(write_rows, rows=rows, key=key))
        return rows

    def begun() -> Iterator[Callable[[], list[dict[str, Any]]]]:
        starts = range(0, len(todo), size)
        for number, start in enumerate(progress(starts, f"{surroundings.strategy}: generating (batches)")):
            batch = range(start, min(start + size, len(todo)))
            key = _key(written, [(todo[each].image_id, todo[each].seed, parents[each]) for each in batch])
            rows = kept.find(number, partial(read_rows, key=key))
            if rows is not None:
                yield partial(list, rows)
                continue
            pixels = list(make(batch))
            kept.about_to_keep()
            yield partial(ended, number, batch, pixels, key)

    kept, size = unfinished().section("generated"), sampling.batch_size
    with ThreadPoolExecutor(_ENCODERS, "encoder") as encoders, closing(ended_behind(begun())) as batches:
        for rows in batches:
            yield from rows


def _key(*made_of: Any) -> str:
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]
