"""Bringing vectors of any origin to unit length, so that their inner product is their cosine."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

_TOLERANCE = 1e-3  # of a length: what rounding to half precision does to a unit vector of 1024 dimensions
_NO_LENGTH = 1e-6  # shorter vectors have no direction
# Squared lengths in single precision that are so near to 1 are surely within the tolerance: 0.998 to 1.002 are, and a
# sum of d squares is off by d * 2^-24 at most, which is 4e-4 for 6,700 dimensions.
_SURELY_UNIT, _WIDEST_SURE = 1.5e-3, 6_700


def unit_vectors(vectors: Float[np.ndarray, "m d"]) -> tuple[Float[np.ndarray, "m d"], int]:
    """Vectors in single precision and of unit length, and how many of them are broken.

    A vector with NaN or infinity, and one of length zero, becomes the zero vector: its similarity to everything
    is 0, far below what CLIP gives any text or image. Others are divided by their length if that is off
    by more than 1e-3, and are otherwise left as they are, bit for bit.
    """
    single = np.ascontiguousarray(vectors, dtype=np.float32)
    if single.shape[1] <= _WIDEST_SURE:
        # Nearly all vectors are of unit length, and this says so in a seventh of the time.
        rough = np.einsum("md,md->m", single, single)
        if (np.abs(rough - 1) < _SURELY_UNIT).all():  # not of NaN
            return single, 0
    squares = np.einsum("md,md->m", single, single, dtype=np.float64)
    lengths = np.sqrt(squares)
    broken = ~np.isfinite(lengths) | (lengths < _NO_LENGTH)
    off = ~broken & (np.abs(lengths - 1) > _TOLERANCE)
    if not (broken.any() or off.any()):
        return single, 0
    changed: np.ndarray = single.copy() if np.shares_memory(single, vectors) else single
    changed[broken] = 0
    changed[off] = (changed[off] / lengths[off, None]).astype(np.float32)
    return changed, int(broken.sum())
