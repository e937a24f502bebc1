"""Laying one picture over another, and how well their detail agrees then."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from retrieval_vs_diffusion.images.copies.pictures import SIDE
from retrieval_vs_diffusion.images.copies.windows import OFFSETS, Windows, cut

STEPS = 2  # twice: what does not agree halfway is left
_LARGEST_STEP = 0.05  # of a picture's side
_SIZES = (0.8, 1.25)  # of windows; a tenth cut away is 0.9
_MIDDLES = (0.35, 0.65)
_FAINT = 0.1  # deviation of the detail so divided: what has less is nearly of one colour


def register(pictures: Float[np.ndarray, "n 32 32"], others: Float[np.ndarray, "n 32 32"], start: Windows) -> Windows:
    """The window of each other picture that agrees best with the picture, near a start.

    Gauss-Newton steps on the squared difference, over the window's middle and size each way, and over gain
    and offset of the light (Lucas and Kanade 1981).
    """
    windows = start
    for _ in range(STEPS):
        seen, inside = cut(others, windows)
        windows = _improved(windows, pictures, seen, inside)
    return windows


def _improved(
    windows: Windows,
    pictures: Float[np.ndarray, "n 32 32"],
    seen: Float[np.ndarray, "n 32 32"],
    inside: Bool[np.ndarray, "n 32 32"],
) -> Windows:
    down = np.gradient(seen, axis=1) * SIDE / windows.size_y[:, None, None]
    across = np.gradient(seen, axis=2) * SIDE / windows.size_x[:, None, None]
    moves = (down, down * OFFSETS[:, None], across, across * OFFSETS)
    columns = np.stack([seen, np.ones_like(seen), *moves], axis=1).reshape(len(seen), 6, SIDE * SIDE)
    weighted = columns * inside.reshape(len(seen), 1, SIDE * SIDE)
    normal = (weighted @ columns.transpose(0, 2, 1)).astype(np.float64)
    diagonal = np.arange(6)
    normal[:, diagonal, diagonal] *= 1.001  # a picture may say nothing of a direction
    normal[:, diagonal, diagonal] += 1e-3
    wanted = (weighted @ pictures.reshape(len(seen), SIDE * SIDE, 1)).astype(np.float64)
    solved = np.linalg.solve(normal, wanted)[:, :, 0]
    gain = solved[:, :1]
    gain = np.where(np.abs(gain) < 0.05, 0.05, gain)
    steps = np.clip(solved[:, 2:] / gain, -_LARGEST_STEP, _LARGEST_STEP).astype(np.float32)
    return Windows(
        np.clip(windows.middle_y + steps[:, 0], *_MIDDLES),
        np.clip(windows.size_y + steps[:, 1], *_SIZES),
        np.clip(windows.middle_x + steps[:, 2], *_MIDDLES),
        np.clip(windows.size_x + steps[:, 3], *_SIZES),
    )


def agreement(
    first: Float[np.ndarray, "n 32 32"], second: Float[np.ndarray, "n 32 32"], inside: Bool[np.ndarray, "n 32 32"]
) -> Float[np.ndarray, " n"]:
    """Correlation, -1 to 1, of the detail of pictures that lie over each other, in so far as both are there."""
    counted = np.maximum(inside.sum(axis=(1, 2)), 1)

    def mean(values: Float[np.ndarray, "n 32 32"]) -> Float[np.ndarray, " n"]:
        return np.where(inside, values, 0).sum(axis=(1, 2)) / counted

    at_first, at_second = mean(first), mean(second)
    spreads = [
        np.sqrt(np.maximum(mean(each * each) - at * at, _FAINT**2))
        for each, at in ((first, at_first), (second, at_second))
    ]
    return (mean(first * second) - at_first * at_second) / (spreads[0] * spreads[1])
