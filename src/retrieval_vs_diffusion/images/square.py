"""Images of any shape as squares of one size, as models want them."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def square(pixels: UInt8[np.ndarray, "h w 3"], size: int) -> UInt8[np.ndarray, "s s 3"]:
    """Resize the short side to ``size`` pixels (bicubic) and crop the centre; a fitting image stays as it is."""
    height, width = pixels.shape[:2]
    if (height, width) == (size, size):
        return pixels
    scale = size / min(height, width)
    wide, high = max(size, round(width * scale)), max(size, round(height * scale))
    left, top = (wide - size) // 2, (high - size) // 2
    resized = Image.fromarray(pixels).resize((wide, high), Image.Resampling.BICUBIC)
    return np.asarray(resized.crop((left, top, left + size, top + size)))
