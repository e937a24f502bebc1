"""The small labelled set that is to be helped, and the draws that repetitions make from it."""

from __future__ import annotations

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


def draw_subset(
    reservoir: ImageTable, class_names: list[str], train_per_class: int, seed: int
) -> tuple[ImageTable, ImageTable]:
    """Draw a repetition's training images; all others of the reservoir are held back.

    Args:
        reservoir: labelled images of every class.
        class_names: names of the classes, for messages.
        train_per_class: images a class to train on.
        seed: decides the draw.

    Returns:
        Training images (classes in order), and the held-back images in random order within each
        class, so that the first k of a class are a draw of k.

    Raises:
        UserError: if a class has fewer than ``train_per_class`` + 1 images.
    """
    labels = reservoir.labels()
    random = np.random.default_rng(seed)
    train: list[int] = []
    held_back: list[int] = []
    for label, name in enumerate(class_names):
        members = random.permutation(np.flatnonzero(labels == label))
        if len(members) <= train_per_class:
            raise UserError(
                f'target: class "{name}" has {len(members)} images in the reservoir, but '
                f"target.train_per_class={train_per_class} must leave some held back: lower it or add images"
            )
        train.extend(members[:train_per_class].tolist())
        held_back.extend(members[train_per_class:].tolist())
    return reservoir.take(train), reservoir.take(held_back)
