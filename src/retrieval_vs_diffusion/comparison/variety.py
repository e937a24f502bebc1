"""How different the images of one class are from each other."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from retrieval_vs_diffusion.images.near_duplicates import NearDuplicates

_BLOCK = 512  # images compared at once


def diversity(embeddings: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]) -> float | None:
    """Mean distance, 1 - cosine, between two images of one class: the mean over classes.

    Args:
        embeddings: unit vectors.
        labels: their classes.

    Returns:
        Between 0 (all alike) and 2; None where no class has two images.
    """
    classes = [embeddings[labels == label].astype(np.float64) for label in np.unique(labels)]
    distances = [1 - _mean_cosine(vectors) for vectors in classes if len(vectors) > 1]
    return float(np.mean(distances)) if distances else None


def _mean_cosine(vectors: Float[np.ndarray, "n d"]) -> float:
    """Mean over pairs of different vectors; |sum of all|^2 holds each pair twice, and each vector's square."""
    n = len(vectors)
    total = np.square(vectors.sum(axis=0)).sum() - np.square(vectors).sum()
    return float(total / (n * (n - 1)))


def near_duplicate_share(
    thumbnails: UInt8[np.ndarray, "n 16 16"], labels: Int[np.ndarray, " n"], threshold: float
) -> float | None:
    """Share of the images that have a near-duplicate among the others of their class.

    Args:
        thumbnails: as ``images.near_duplicates.thumbnail`` makes them.
        labels: their classes.
        threshold: correlation from which two images are near-duplicates.

    Returns:
        In [0, 1]; None where no class has two images.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    if not (sizes > 1).any():
        return None
    found = sum(int(_has_near_duplicate(thumbnails[labels == label], threshold).sum()) for label in classes)
    return found / len(labels)


def _has_near_duplicate(thumbnails: UInt8[np.ndarray, "n 16 16"], threshold: float) -> Bool[np.ndarray, " n"]:
    """For each image whether one of the others is near.

    An image must not be compared with itself, and two positions differ in at least one binary digit:
    for each digit the images that have it are compared with those that have not.
    """
    positions = np.arange(len(thumbnails))
    near = np.zeros(len(thumbnails), dtype=bool)
    for digit in range((len(thumbnails) - 1).bit_length()):
        side = (positions >> digit) & 1 == 1
        for queries, others in ((side, ~side), (~side, side)):
            kept = NearDuplicates(thumbnails[others])
            waiting = positions[queries & ~near]
            for start in range(0, len(waiting), _BLOCK):
                block = waiting[start : start + _BLOCK]
                similarity, _ = kept.nearest_to_thumbnails(thumbnails[block])
                near[block] = similarity >= threshold
    return near
