"""Between encoded image files and arrays of pixels."""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

# Above this many pixels lossless files cost far more bytes and time than they are worth;
# quality 95 is visually lossless. Below it, PNG is smaller than a JPEG's header is harmful.
LOSSLESS_UP_TO_PIXELS = 64 * 64
_DARK = 4  # of 256 levels: 1/64 of the range
TOO_DARK = "too dark: 16-bit or float values that use less than 1/64 of the range; convert them to 8 bits"


class BrokenImageError(ValueError):
    """The bytes are not an image that can be decoded whole."""


def encode(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Encode one RGB image: PNG up to 64x64 pixels, JPEG of quality 95 above."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if pixels.shape[0] * pixels.shape[1] <= LOSSLESS_UP_TO_PIXELS:
        image.save(buffer, format="PNG", compress_level=1)
    else:
        image.save(buffer, format="JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def decode(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """Decode PNG or JPEG bytes to RGB.

    Raises:
        BrokenImageError: if the bytes are empty, truncated or no image.
    """
    return _decoded(data, None)[0]


def decode_draft(data: bytes, short_side: int) -> tuple[UInt8[np.ndarray, "h w 3"], tuple[int, int]]:
    """Decode to RGB, a large JPEG no further than is needed.

    A JPEG whose short side is at least twice ``short_side`` pixels is decoded at a half, a quarter or an eighth of its
    size, the smallest that still has ``short_side``: libjpeg then takes so many coefficients of each block. Any other
    image comes at its own size, bit for bit as ``decode`` gives it.

    Returns:
        The pixels, and the width and height that the image has, of which they may be fewer.

    Raises:
        BrokenImageError: if the bytes are empty, truncated or no image.
    """
    return _decoded(data, short_side)


def rgb(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """Pixels of an opened image of any mode.

    Raises:
        BrokenImageError: if it has one channel of 16 bits or floats that would become black, as do 8 bits that were
            saved as 16, and floats from 0 to 1: all such images would be copies of each other.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        if image.mode == "F":
            grey = np.asarray(image.convert("L"))
        else:  # 16 bits of grey, which a conversion would cut off at 255
            grey = (np.asarray(image, dtype=np.uint32) // 257).clip(0, 255).astype(np.uint8)
        if grey.max() < _DARK:
            raise BrokenImageError(TOO_DARK)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))  # which copies what is RGB already


def _decoded(data: bytes, short_side: int | None) -> tuple[UInt8[np.ndarray, "h w 3"], tuple[int, int]]:
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG"]) as image:
            size = image.size
            if short_side is not None and min(size) >= 2 * short_side:
                image.draft(None, (short_side, short_side))  # leaves a PNG as it is
            return rgb(image), size
    except BrokenImageError:
        raise
    except Exception as error:  # decoders raise anything on bytes that were made to break them
        raise BrokenImageError(f"not a whole PNG or JPEG image ({len(data)} bytes): {error}") from error
