"""What grows: each series with its sizes, its steps, and what is made beforehand."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.growth.watching import NotItsOwn

# Up to its `yield` a step gets ready (imports, models, open files); what follows is watched. It may return what
# it took that is not its own. Its arguments are the size and a folder, where earlier steps of that size left what they wrote.
Step = Callable[[int, Path], Generator[None, None, NotItsOwn | None]]


@dataclass(frozen=True)
class Series:
    """Something that grows.

    Args:
        name: of the series.
        axis: what its sizes count.
        sizes: ascending.
        prepare: makes in the folder what the steps read; not watched.
        steps: by name, in order.
        shares_folder: all sizes work in one folder, which is made once; else each has its own.
    """

    name: str
    axis: str
    sizes: tuple[int, ...]
    prepare: Callable[[int, Path], None]
    steps: Mapping[str, Step] = field(default_factory=dict)
    shares_folder: bool = False


def all_series() -> dict[str, Series]:
    """Every series by name, in the order in which they are measured."""
    from benchmarks.growth import added_images, classes, pictures, vectors

    return {each.name: each for each in (vectors.SERIES, pictures.SERIES, classes.SERIES, added_images.SERIES)}
