"""Share of a set's images that show the class they are labelled with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.squares import squares_of
from retrieval_vs_diffusion.models.classifier import Classifier
from retrieval_vs_diffusion.models.clip import Clip


def measure_label_agreement(
    images: ImageTable,
    embeddings: Float[np.ndarray, "n d"],
    class_names: tuple[str, ...],
    judge: Classifier | None,
    clip: Clip,
    device: torch.device,
    shown_names: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    """Measure by true labels where all images have them, else by the judge, else by zero-shot CLIP.

    CLIP says nothing of images that it chose itself: each is nearest to the prompt of its class because it was
    chosen so. By CLIP only generated images are measured, and of those none that is the best of several by its score.

    Args:
        images: with the labels that they are used for.
        embeddings: of the images, by ``clip``; unit vectors.
        class_names: the target's classes.
        judge: a classifier of the same classes, where there is one.
        clip: embeds the classes' names where nothing better is known.
        device: where the judge runs.
        shown_names: what prompts call the classes, where that is not what the target calls them.

    Returns:
        ``label_agreement`` in [0, 1] (None for an empty set, and where nothing can tell), and ``agreement_by``:
        ``true_labels``, ``judge`` or ``clip_zero_shot``.

    Raises:
        UserError: if the judge knows other classes.
    """
    if not len(images):
        return {"label_agreement": None, "agreement_by": None}
    labels, true_labels = images.labels(), images.column("true_label")
    comes_from_pool_or_target = not any(images.column("checkpoint"))
    if comes_from_pool_or_target and any(label is not None for label in true_labels):
        # A pool image without a true label shows none of the classes.
        agreement = np.mean([label == true for label, true in zip(labels.tolist(), true_labels, strict=True)])
        return {"label_agreement": float(agreement), "agreement_by": "true_labels"}
    if judge is not None:
        if judge.class_names != class_names:
            raise UserError(
                f"judge.path: the judge knows {_listed(judge.class_names)}, the target's classes are "
                f"{_listed(class_names)}; give the judge of these classes, or null"
            )
        pixels = squares_of(images, judge.image_size)
        agreed = judge.probabilities(pixels, device).argmax(axis=1) == labels
        return {"label_agreement": float(agreed.mean()), "agreement_by": "judge"}
    told = _generated_and_not_chosen(images)
    if not told.any():
        return {"label_agreement": None, "agreement_by": None}
    agreement = zero_shot_accuracy(embeddings[told], labels[told], shown_names or class_names, clip)
    return {"label_agreement": agreement, "agreement_by": "clip_zero_shot"}


def zero_shot_accuracy(
    embeddings: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"], names: tuple[str, ...], clip: Clip
) -> float:
    """Share of images that are nearer to the prompt of their class than to that of any other.

    Args:
        embeddings: of the images, by ``clip``.
        labels: of the images.
        names: what the prompt calls each class, by label.
        clip: embeds the prompts.
    """
    prompts = clip.embed_texts([f"a photo of a {name}" for name in names])
    return float(((embeddings @ prompts.T).argmax(axis=1) == labels).mean())


def _generated_and_not_chosen(images: ImageTable) -> Bool[np.ndarray, " n"]:
    """Images that a model made and no score chose: what is chosen keeps its similarity."""
    about = zip(images.column("checkpoint"), images.column("similarity"), strict=True)
    return np.array([checkpoint is not None and similarity is None for checkpoint, similarity in about], dtype=bool)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
