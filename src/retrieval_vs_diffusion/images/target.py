"""The small labelled set that is to be helped, and the draws that repetitions make from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable


@dataclass(frozen=True)
class Target:
    """A labelled set in its fixed parts; ``label`` is a position in ``class_names``."""

    class_names: tuple[str, ...]
    reservoir: ImageTable  # repetitions draw `train` and `held_back` from it
    val: ImageTable
    test: ImageTable


@dataclass(frozen=True)
class SubsetDraw:
    """One draw of the target subset: which images of the reservoir are trained on, which are held back.

    It is a view: drawn again by every step that needs it, always the same.

    Args:
        seed: decides the draw.
    """

    seed: int

    def train(self, reservoir: ImageTable, class_names: Sequence[str], per_class: int) -> ImageTable:
        """The originals: ``per_class`` images of each class, classes in order."""
        return reservoir.take(self._rows(reservoir, class_names, per_class)[0])

    def first(
        self, reservoir: ImageTable, class_names: Sequence[str], per_class: int, times: float = 1.0
    ) -> ImageTable:
        """So many times ``per_class`` images of each class, at least one and at most all of the reservoir.

        Smaller draws are part of larger ones; ``times=1`` gives the originals.
        """
        if times == 1:
            return self.train(reservoir, class_names, per_class)
        train, held_back = self._rows(reservoir, class_names, per_class)
        labels = reservoir.labels()
        rows = np.array([*train, *held_back], dtype=np.int64)
        number = max(1, round(times * per_class))
        return reservoir.take(
            np.concatenate([rows[labels[rows] == label][:number] for label in range(len(class_names))])
        )

    def held_back(self, reservoir: ImageTable, class_names: Sequence[str], per_class: int) -> ImageTable:
        """All other images, in random order within each class: the first k of a class are a draw of k."""
        return reservoir.take(self._rows(reservoir, class_names, per_class)[1])

    def _rows(self, reservoir: ImageTable, class_names: Sequence[str], per_class: int) -> tuple[list[int], list[int]]:
        labels = reservoir.labels()
        random = np.random.default_rng(self.seed)
        train: list[int] = []
        held_back: list[int] = []
        for label, name in enumerate(class_names):
            members = random.permutation(np.flatnonzero(labels == label))
            if len(members) <= per_class:
                raise UserError(
                    f'target: class "{name}" has {len(members)} images in the reservoir, but '
                    f"target.train_per_class={per_class} must leave some held back: lower it or add images"
                )
            train.extend(members[:per_class].tolist())
            held_back.extend(members[per_class:].tolist())
        return train, held_back
