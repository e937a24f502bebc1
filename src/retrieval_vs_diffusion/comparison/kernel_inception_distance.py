"""Kernel Inception Distance: how far one set of images is from another as a whole."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

_BLOCK = 1024  # rows of the kernel matrix held at once


def kernel_inception_distance(
    first: Float[np.ndarray, "m d"], second: Float[np.ndarray, "n d"], at_most: int = 20_000, seed: int = 0
) -> float | None:
    """Unbiased squared maximum mean discrepancy between two sets of images.

    Binkowski et al. 2018 (arXiv:1801.01401) with their kernel ``k(x, y) = (x.y / d + 1)^3``, in the space
    of CLIP's image embeddings (as Jayasumana et al. 2024, arXiv:2401.09603, advise) instead of Inception's::

        mean of k over pairs within first + mean of k over pairs within second - 2 * mean of k across

    Pairs of an image with itself are left out, so sets of any size compare, and two draws from one
    source give 0 on average, slightly less as often as slightly more. The kernel divides by d because it
    expects coordinates of about 1, which Inception's are. CLIP's are unit vectors, with coordinates of
    about 1 / sqrt(d): for them the kernel would be all but linear, blind to all but the two means, and
    smaller the wider the model. They are therefore multiplied by sqrt(d), which makes ``x.y / d``
    the cosine and the kernel ``(cosine + 1)^3``, between 0 and 8 for every model.

    Args:
        first: unit vectors.
        second: unit vectors of the same model.
        at_most: images of a set that are looked at; of larger ones as many at random.
        seed: of that draw.

    Returns:
        The distance, without a unit; None where a set has fewer than two images.
    """
    if min(len(first), len(second)) < 2:
        return None
    random = np.random.default_rng(seed)
    first, second = (_some(vectors, at_most, random) for vectors in (first, second))
    across = _kernel_sum(first, second) / (len(first) * len(second))
    return float(_mean_within(first) + _mean_within(second) - 2 * across)


def _some(vectors: Float[np.ndarray, "n d"], at_most: int, random: np.random.Generator) -> Float[np.ndarray, "k d"]:
    if len(vectors) > at_most:
        vectors = vectors[np.sort(random.choice(len(vectors), at_most, replace=False))]
    return vectors.astype(np.float64)  # means near 1 are subtracted from each other


def _mean_within(vectors: Float[np.ndarray, "n d"]) -> float:
    """The kernel's mean over pairs of different images."""
    with_themselves = float(((np.square(vectors).sum(axis=1) + 1) ** 3).sum())
    n = len(vectors)
    return (_kernel_sum(vectors, vectors) - with_themselves) / (n * (n - 1))


def _kernel_sum(first: Float[np.ndarray, "m d"], second: Float[np.ndarray, "n d"]) -> float:
    blocks = (first[start : start + _BLOCK] for start in range(0, len(first), _BLOCK))
    return float(sum(((block @ second.T + 1) ** 3).sum() for block in blocks))
