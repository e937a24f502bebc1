"""Parts of pictures, resampled to the size of a whole one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from retrieval_vs_diffusion.images.copies.pictures import SIDE

# Where a window's pixels lie, from its middle, in units of its size.
OFFSETS = ((np.arange(SIDE) + 0.5) / SIDE - 0.5).astype(np.float32)


class Windows(NamedTuple):
    """Parts of pictures: middle and size down and across, in units of the picture's side; 0.5, 1, 0.5, 1 is all."""

    middle_y: Float[np.ndarray, " n"]
    size_y: Float[np.ndarray, " n"]
    middle_x: Float[np.ndarray, " n"]
    size_x: Float[np.ndarray, " n"]


def cut(
    pictures: Float[np.ndarray, "n 32 32"], windows: Windows
) -> tuple[Float[np.ndarray, "n 32 32"], Bool[np.ndarray, "n 32 32"]]:
    """Each picture's window, and which of its pixels lie inside the picture."""
    down, inside_y = _interpolation(windows.middle_y, windows.size_y)
    across, inside_x = _interpolation(windows.middle_x, windows.size_x)
    return down @ pictures @ across.transpose(0, 2, 1), inside_y[:, :, None] & inside_x[:, None, :]


def _interpolation(
    middle: Float[np.ndarray, " n"], size: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "n 32 32"], Bool[np.ndarray, "n 32"]]:
    """Matrices that interpolate a window's pixels linearly along one axis."""
    at = (middle[:, None] + size[:, None] * OFFSETS) * SIDE - 0.5
    near = np.clip(at, 0, SIDE - 1)
    weights = np.maximum(1 - np.abs(near[:, :, None] - np.arange(SIDE, dtype=np.float32)), 0)
    return weights.astype(np.float32), (at >= -0.5) & (at <= SIDE - 0.5)
