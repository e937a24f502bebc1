"""Pictures with the detail of photographs, at any size: pieces of the two that come with scikit-learn."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image


def natural_pictures(n: int, side: int, seed: int = 0) -> list[UInt8[np.ndarray, "s s 3"]]:
    """Square pieces, no two alike, of at least 256 pixels of a photograph, every second one mirrored.

    Args:
        n: how many.
        side: pixels of each, resized where the piece has others.
        seed: decides which pieces.
    """
    from sklearn.datasets import load_sample_images

    photographs, random = [Image.fromarray(each) for each in load_sample_images().images], np.random.default_rng(seed)
    pictures = []
    for number in range(n):
        photograph = photographs[number % 2]
        part = random.uniform(256, min(photograph.size))
        left, top = (random.uniform(0, whole - part) for whole in photograph.size)
        piece = photograph.resize((side, side), Image.Resampling.BICUBIC, (left, top, left + part, top + part))
        pixels = np.asarray(piece)
        pictures.append(np.ascontiguousarray(pixels[:, ::-1] if number % 4 > 1 else pixels))
    return pictures


def psnr(one: Shaped[np.ndarray, "*shape"], other: Shaped[np.ndarray, "*shape"]) -> float:
    """Peak signal-to-noise ratio in decibels of pixels in [0, 255]; infinite where they are equal.

    Example:
        >>> psnr(np.array([0, 0]), np.array([255, 0]))  # half the largest error: 10 log10(1 / 0.5)
        3.0102999566398116
    """
    error = np.mean((one.astype(np.float64) - other) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")
