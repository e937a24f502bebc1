"""Images of any shape, decoded or encoded, as squares of one size, as models want them."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from retrieval_vs_diffusion.images import codec


def square(pixels: UInt8[np.ndarray, "h w 3"], size: int) -> UInt8[np.ndarray, "s s 3"]:
    """Resize the short side to ``size`` pixels (bicubic) and crop the centre; a fitting image stays as it is."""
    height, width = pixels.shape[:2]
    if (height, width) == (size, size):
        return pixels
    (wide, high), left, top = _placed(width, height, size)
    resized = Image.fromarray(pixels).resize((wide, high), Image.Resampling.BICUBIC)
    return np.asarray(resized.crop((left, top, left + size, top + size)))


def decoded_square(data: bytes, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """The square of an encoded image; equal to ``square(codec.decode(data), size)``, but for large JPEGs.

    Of a JPEG whose short side is twice ``size`` or more, only as many of its pixels are decoded as are needed
    (``codec.decode_draft``), and only the square is resampled of them: several times faster, a few of 255 shades off
    (docs/performance.md).

    Raises:
        BrokenImageError: if the bytes are not a whole image.
    """
    pixels, whole = codec.decode_draft(data, size)
    height, width = pixels.shape[:2]
    if (width, height) == whole:
        return square(pixels, size)
    (wide, high), left, top = _placed(*whole, size)
    # A decoded pixel is 2, 4 or 8 whole ones a side, but for the last of a row or column, which may be a part of one:
    # taken for whole it would stretch the image by some thousandths, which an embedding sees.
    shrunk = 2 ** round(math.log2(min(whole) / min(width, height)))
    across, down = whole[0] / shrunk / wide, whole[1] / shrunk / high  # of what was decoded, a pixel of the square
    box = (left * across, top * down, (left + size) * across, (top + size) * down)
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC, box=box))


def _placed(width: int, height: int, size: int) -> tuple[tuple[int, int], int, int]:
    """Width and height when the short side is ``size``, and left and top of the square in the middle.

    The long side is rounded down, as torchvision does: CLIP models were trained so, and a rounding up, which stretches
    the image by a third of a percent, costs as much as 0.004 of an embedding's cosine.
    """
    short = min(width, height)
    wide, high = width * size // short, height * size // short
    return (wide, high), round((wide - size) / 2), round((high - size) / 2)
