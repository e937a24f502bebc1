"""Which images of a table copy protected ones, by units of rows."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from retrieval_vs_diffusion.executors.executor import LocalExecutor, executor
from retrieval_vs_diffusion.executors.units import Unit, Work
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.screening import Gate
from retrieval_vs_diffusion.kept_arrays import read_arrays, write_arrays
from retrieval_vs_diffusion.unfinished import Section, unfinished


def find_leaks(images: ImageTable, gate: Gate, at_once: int) -> Bool[np.ndarray, " n"]:
    """Which images are near-duplicates of protected ones, whatever the gate lets through; broken ones are none.

    Args:
        images: of any size.
        gate: knows what is protected.
        at_once: images that are decoded and compared together, a unit of the step's executor.
    """
    starts = range(0, len(images), at_once)
    units = [
        Unit(number, f"images {start} and on of {len(images)}", range(start, min(start + at_once, len(images))))
        for number, start in enumerate(starts)
    ]
    chosen = executor() if len(units) > 1 else LocalExecutor()
    kept = unfinished().section("leaks")
    parts = list(chosen.run(LeakCheck(images, gate), units, kept, "looking for leaks (portions)"))
    return np.concatenate([np.zeros(0, dtype=bool), *parts])


class LeakCheck(Work[Bool[np.ndarray, " n"]]):
    """Finds leaks among rows of a table.

    Args:
        images: a unit takes the range of its rows.
        gate: knows what is protected.
    """

    def __init__(self, images: ImageTable, gate: Gate) -> None:
        self._images, self._gate = images, gate

    def make(self, units: Iterable[Unit], kept: Section) -> Generator[Bool[np.ndarray, " n"], None, None]:
        """Whether each image of a unit is a leak."""
        for unit in units:
            leaking = self._gate.leaking([_decoded(data) for data in self._images.take(unit.takes).encoded()])
            kept.keep(unit.number, partial(write_arrays, arrays={"leaking": leaking}, key=unit.key))
            yield leaking

    def read(self, path: Path, unit: Unit) -> Bool[np.ndarray, " n"]:
        """The same of a unit that was made before."""
        return read_arrays(path, unit.key)["leaking"]


def _decoded(data: bytes) -> np.ndarray | None:
    try:
        return codec.decode(data)
    except codec.BrokenImageError:
        return None
