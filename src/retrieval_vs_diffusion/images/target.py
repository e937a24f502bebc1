"""The small labelled set that is to be helped, and the draws that repetitions make from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Int

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_stream import ImageStream
from retrieval_vs_diffusion.images.image_table import ImageTable

# How many images a class are trained on: a number, a share of each class's images, or all of them.
PerClass: TypeAlias = int | float | Literal["all"]


@dataclass(frozen=True)
class Target:
    """A labelled set in its fixed parts; ``label`` is a position in ``class_names``.

    Parts that are streams are to be written in the order test, val, reservoir.
    """

    class_names: tuple[str, ...]
    reservoir: ImageTable | ImageStream  # repetitions draw `train` and `held_back` from it
    val: ImageTable | ImageStream
    test: ImageTable | ImageStream


def count_originals(labels: Int[np.ndarray, " n"], class_names: Sequence[str], per_class: PerClass) -> list[int]:
    """How many images of each class are trained on, by label.

    Args:
        labels: of all images in the reservoir.
        class_names: by label.
        per_class: an integer is a number a class; a float below 1 a share of each class, at least one image;
            ``all`` leaves none that could be held back.

    Raises:
        UserError: if a class has no images, or too few that any could be held back.
    """
    available = np.bincount(labels, minlength=len(class_names)).tolist()
    empty = [name for name, count in zip(class_names, available, strict=True) if not count]
    if empty:
        raise UserError(f'target: class "{empty[0]}" has no image to train on; add some, or take the class out')
    if per_class == "all":
        return available
    counts = [_count(per_class, each) for each in available]
    for name, count, there in zip(class_names, counts, available, strict=True):
        if count >= there:
            raise UserError(
                f'target: class "{name}" has {there} images in the reservoir, but target.per_class={per_class} must '
                "leave some held back: lower it (a share such as 0.5 will do), add images, or give `all`"
            )
    return counts


def _count(per_class: PerClass, available: int) -> int:
    if isinstance(per_class, float) and per_class < 1:
        return max(1, round(per_class * available))
    return int(per_class)


def times_originals(originals_per_class: Sequence[int], times: float) -> list[int]:
    """So many times the originals of each class, at least one image a class."""
    return [max(1, round(times * count)) for count in originals_per_class]


@dataclass(frozen=True)
class SubsetDraw:
    """One draw of the target subset: which images of the reservoir are trained on, which are held back.

    It is a view: drawn again by every step that needs it, always the same.

    Args:
        seed: decides the draw.
    """

    seed: int

    def train(
        self, reservoir: ImageTable, class_names: Sequence[str], originals_per_class: Sequence[int]
    ) -> ImageTable:
        """The originals: ``originals_per_class[label]`` images of each class, classes in order."""
        return reservoir.take(self._rows(reservoir, class_names, originals_per_class)[0])

    def first(
        self,
        reservoir: ImageTable,
        class_names: Sequence[str],
        originals_per_class: Sequence[int],
        times: float = 1.0,
    ) -> ImageTable:
        """So many times the originals of each class, at least one image and at most all of the reservoir.

        Smaller draws are part of larger ones; ``times=1`` gives the originals.
        """
        if times == 1:
            return self.train(reservoir, class_names, originals_per_class)
        train, held_back = self._rows(reservoir, class_names, originals_per_class)
        labels = reservoir.labels()
        rows = np.array([*train, *held_back], dtype=np.int64)
        numbers = times_originals(originals_per_class, times)
        return reservoir.take(
            np.concatenate([rows[labels[rows] == label][:number] for label, number in enumerate(numbers)])
        )

    def held_back(
        self, reservoir: ImageTable, class_names: Sequence[str], originals_per_class: Sequence[int]
    ) -> ImageTable:
        """All other images, in random order within each class: the first k of a class are a draw of k."""
        return reservoir.take(self._rows(reservoir, class_names, originals_per_class)[1])

    def _rows(
        self, reservoir: ImageTable, class_names: Sequence[str], originals_per_class: Sequence[int]
    ) -> tuple[list[int], list[int]]:
        labels = reservoir.labels()
        random = np.random.default_rng(self.seed)
        train: list[int] = []
        held_back: list[int] = []
        for label, count in zip(range(len(class_names)), originals_per_class, strict=True):
            members = random.permutation(np.flatnonzero(labels == label))
            train.extend(members[:count].tolist())
            held_back.extend(members[count:].tolist())
        return train, held_back
