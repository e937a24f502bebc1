"""What candidates are found by: the lowest frequencies of a picture and of its corners."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from retrieval_vs_diffusion.images.copies.pictures import SIDE
from retrieval_vs_diffusion.images.copies.windows import Windows, cut

_FREQUENCIES = 6  # of a discrete cosine transform, each way
WIDTH = _FREQUENCIES**2 - 1  # without the mean
_FLAT = 2.0  # grey levels: a picture of a smaller standard deviation resembles others the less
_KEPT = 0.92  # of a side: between a whole picture and one that lost a tenth of it at one end
# Middle and size, down and across: all of it, and its corners.
STARTS = np.array(
    [(0.5, 1, 0.5, 1)] + [(y, _KEPT, x, _KEPT) for y in (_KEPT / 2, 1 - _KEPT / 2) for x in (_KEPT / 2, 1 - _KEPT / 2)],
    dtype=np.float32,
)


def describe(pictures: Float[np.ndarray, "n 32 32"]) -> Float[np.ndarray, "n 35"]:
    """The low frequencies as unit vectors; shorter ones of pictures that are nearly of one colour."""
    frequencies = _COSINES @ pictures @ _COSINES.T
    vectors = frequencies.reshape(len(pictures), -1)[:, 1:]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.maximum(lengths, _FLAT * SIDE))


def describe_windows(pictures: Float[np.ndarray, "n 32 32"]) -> Float[np.ndarray, "m 35"]:
    """Descriptors of all the windows of ``STARTS``, those of one picture side by side."""
    parts = [describe(cut(pictures, windows_at(np.full(len(pictures), start)))[0]) for start in range(len(STARTS))]
    return np.stack(parts, axis=1).reshape(-1, WIDTH)


def windows_at(starts: Int[np.ndarray, " n"]) -> Windows:
    """The windows of these numbers in ``STARTS``."""
    return Windows(*STARTS[starts].T)


def _cosines() -> Float[np.ndarray, "6 32"]:
    """The transform's first rows, of unit length: a vector is as long as the picture's deviation times its side."""
    at = np.pi * (np.arange(SIDE) + 0.5) / SIDE
    rows = np.cos(np.outer(np.arange(_FREQUENCIES), at)) * np.sqrt(2 / SIDE)
    rows[0] /= np.sqrt(2)
    return rows.astype(np.float32)


_COSINES = _cosines()
