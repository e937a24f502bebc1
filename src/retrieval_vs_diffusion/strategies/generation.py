"""Rows of generated images, a batch at a time: each batch is a unit of its own, made here or elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import UInt8

from retrieval_vs_diffusion.executors.executor import executor
from retrieval_vs_diffusion.executors.units import Unit, Work
from retrieval_vs_diffusion.images.image_table import image_row
from retrieval_vs_diffusion.images.kept_rows import read_rows, write_rows
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.recipe import Recipe
from retrieval_vs_diffusion.strategies.source import Surroundings
from retrieval_vs_diffusion.unfinished import Section, unfinished
from retrieval_vs_diffusion.work_behind import ended_behind

if TYPE_CHECKING:
    import torch

    from retrieval_vs_diffusion.models.diffusion import Diffusion

_ENCODERS = min(8, os.cpu_count() or 1)  # threads; eight write 512-pixel JPEGs faster than any GPU samples them
Rows: TypeAlias = list[dict[str, Any]]
Draw: TypeAlias = Callable[[Sequence[Recipe]], Iterator[UInt8[np.ndarray, "h w 3"]]]


def generated_rows(
    draw: Draw,
    todo: Sequence[Recipe],
    sampling: Sampling,
    diffusion: Diffusion,
    surroundings: Surroundings,
    parents: Sequence[str | None],
    **how: Any,
) -> Iterator[dict[str, Any]]:
    """Rows of generated images; each says all that it takes to make its image again.

    A batch is a unit of unfinished work: a run that was killed goes on after the last whole one.

    Args:
        draw: makes the images of some recipes, in their order; it travels, so it is no function within another.
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
    columns = {
        "source": how["generator"],
        "checkpoint": diffusion.checkpoint,
        "recipe": json.dumps(about, sort_keys=True),
    }
    starts = range(0, len(todo), sampling.batch_size)
    batches = [
        _Batch(todo[start : start + sampling.batch_size], parents[start : start + sampling.batch_size])
        for start in starts
    ]
    units = [Unit(number, batch.key(columns["recipe"]), batch) for number, batch in enumerate(batches)]
    described = f"{surroundings.strategy}: generating (batches)"
    work = Generation(draw, diffusion, sampling, columns)
    for rows in executor().run(work, units, unfinished().section("generated"), described):
        yield from rows


@dataclass(frozen=True)
class _Batch:
    """Images that are sampled together."""

    recipes: Sequence[Recipe]
    parents: Sequence[str | None]

    def key(self, written: str) -> str:
        """A digest of what its rows are made of."""
        images = [
            (recipe.image_id, recipe.seed, parent) for recipe, parent in zip(self.recipes, self.parents, strict=True)
        ]
        return hashlib.sha256(json.dumps((written, images)).encode()).hexdigest()[:16]


class Generation(Work[Rows]):
    """Samples batches; while one is sampled, the images of the one before are encoded, hashed and kept on threads.

    Args:
        draw: makes the images of some recipes, in their order.
        diffusion: what ``draw`` samples from.
        sampling: how.
        columns: of the rows that are the same in all.
    """

    def __init__(self, draw: Draw, diffusion: Diffusion, sampling: Sampling, columns: Mapping[str, str]) -> None:
        self._draw, self._diffusion, self._sampling, self._columns = draw, diffusion, sampling, columns

    @property
    def device(self) -> torch.device:
        """The diffusion model's."""
        return self._diffusion.device

    @property
    def counted(self) -> Any:
        """The diffusion model's pipeline."""
        return self._diffusion.pipeline

    def before_leaving(self, units: Sequence[Unit]) -> None:
        """Encode every prompt once, as one process would, and not once in each."""
        shown = {
            recipe.condition for unit in units for recipe in unit.takes.recipes if isinstance(recipe.condition, str)
        }
        if len(shown) < self._diffusion.prompts.most_kept:  # and the negative one; of more, each encodes its own
            self._diffusion.prompts.encode_all(sorted(shown), self._sampling)

    def make(self, units: Iterable[Unit], kept: Section) -> Generator[Rows, None, None]:
        """Rows of each unit's images."""

        def ended(unit: Unit, pixels: list[UInt8[np.ndarray, "h w 3"]]) -> Rows:
            rows = list(encoders.map(self._row, unit.takes.recipes, unit.takes.parents, pixels))
            kept.keep_told(unit.number, partial(write_rows, rows=rows, key=unit.key))
            return rows

        def begun() -> Iterator[Callable[[], Rows]]:
            for unit in units:
                pixels = list(self._draw(unit.takes.recipes))
                kept.about_to_keep()
                yield partial(ended, unit, pixels)

        with ThreadPoolExecutor(_ENCODERS, "encoder") as encoders, closing(ended_behind(begun())) as batches:
            yield from batches

    def read(self, path: Path, unit: Unit) -> Rows:
        """The rows of a unit."""
        return read_rows(path, unit.key)

    def _row(self, recipe: Recipe, parent: str | None, pixels: UInt8[np.ndarray, "h w 3"]) -> dict[str, Any]:
        columns = {"label": recipe.label, "prompt": recipe.prompt, "seed": recipe.seed, "parent": parent}
        return image_row(pixels, recipe.image_id, **columns, **self._columns)
