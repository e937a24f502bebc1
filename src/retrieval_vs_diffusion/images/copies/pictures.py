"""The form in which two pictures are compared: grey, 32 pixels a side."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image

SIDE = 32  # pixels: at 16 look-alikes come too near, and CIFAR-10 has no more


def grey_picture(pixels: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "32 32"]:
    """The whole image in grey, squeezed into a square: a crop that changes the aspect is a change of scale."""
    grey = Image.fromarray(pixels).convert("L")
    if grey.size != (SIDE, SIDE):
        grey = grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(grey)


def short_side(pixels: UInt8[np.ndarray, "h w 3"]) -> int:
    """Of the image in pixels, at most 32: more of it the picture does not show."""
    return min(*pixels.shape[:2], SIDE)
