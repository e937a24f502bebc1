"""A picture of a user's collection as a row of an image table: decoded with care, upright, of a size that is used."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.codec import BrokenImageError
from retrieval_vs_diffusion.images.collections.plain_text import plain
from retrieval_vs_diffusion.images.image_files import opened, rgb
from retrieval_vs_diffusion.images.image_table import content_hash
from retrieval_vs_diffusion.images.sample import Sample

SMALLEST_SIDE = 8  # pixels; counting pixels and spacers of web pages are smaller
LARGEST_BYTES = 256_000_000
_ORIENTATION = 0x0112  # the EXIF tag; 2 to 8 are turned or mirrored
_DRAFT_MARGIN = 2  # a JPEG is decoded at no less than so many times the wanted size, and then resampled
_RAW_MODES = {"RGB", "L"}  # of PNG: no bits are cut off; of JPEG: converted from YCbCr, without an alpha channel


def photo_row(sample: Sample, short_side: int | None, **columns: Any) -> dict[str, Any]:
    """A sample as a row of an image table; ``image_id`` is its key, ``source`` its source or else its key.

    The bytes of a plain, upright PNG or JPEG that needs no shrinking are kept, and ``codec.decode`` gives the
    pixels that were hashed; any other image is encoded anew, JPEG above 64 x 64 pixels.

    Args:
        sample: the picture.
        short_side: pixels that the shorter side has at most; larger images are shrunk. None keeps all sizes.
        columns: the row's other columns, e.g. ``label`` and ``caption``.

    Raises:
        BrokenImageError: if there is no image, no whole one, or one with too many or too few pixels. The message
            up to its first colon is the kind of fault.
    """
    data = _bytes_of(sample.image)
    with opened(data) as image:
        if min(image.size) < SMALLEST_SIDE:
            raise BrokenImageError(
                f"too small: {image.width} x {image.height} pixels, at least {SMALLEST_SIDE} a side are needed"
            )
        size = _shrunk(image.size, short_side)
        keep = _is_plain(image) and size == image.size
        if size != image.size and image.format in {"JPEG", "MPO"}:
            image.draft(None, (size[0] * _DRAFT_MARGIN, size[1] * _DRAFT_MARGIN))
        image.load()
        turned = image.getexif().get(_ORIENTATION, 1) in range(2, 9)
        keep = keep and not turned
        pixels = rgb(ImageOps.exif_transpose(image) if turned else image)  # which copies 400 MB at most, turned or not
    shrunk = _shrunk((pixels.shape[1], pixels.shape[0]), short_side)
    if shrunk != (pixels.shape[1], pixels.shape[0]):
        pixels = np.asarray(Image.fromarray(pixels).resize(shrunk, Image.Resampling.BICUBIC))
    return {
        "image_id": plain(sample.key),
        "content_hash": content_hash(pixels),
        "image": {"bytes": data if keep else _encoded(pixels), "path": None},
        "source": plain(sample.source or sample.key),
        **columns,
    }


def fault_of(error: BrokenImageError) -> str:
    """The kind of fault that a message of ``photo_row`` begins with, e.g. ``too small``."""
    return str(error).partition(":")[0]


def _bytes_of(image: bytes | Path | None) -> bytes:
    if image is None:
        raise BrokenImageError("no image: the collection has none here")
    if isinstance(image, bytes):
        if len(image) > LARGEST_BYTES:
            raise BrokenImageError(f"too large: {len(image):,} bytes are more than {LARGEST_BYTES:,}")
        return image
    try:
        if not image.is_file():  # a pipe would be waited for
            raise BrokenImageError(f"no such file: {image}")
        if image.stat().st_size > LARGEST_BYTES:
            raise BrokenImageError(f"too large: {image.stat().st_size:,} bytes are more than {LARGEST_BYTES:,}")
        return image.read_bytes()
    except OSError as error:
        raise BrokenImageError(f"cannot be opened: {error}") from error


def _is_plain(image: Image.Image) -> bool:
    """Whether ``codec.decode`` gives what we see: 8 bits a channel, no palette, one picture. Before it is decoded."""
    if image.format not in {"PNG", "JPEG"} or image.mode not in {"RGB", "L"} or getattr(image, "is_animated", False):
        return False
    raw_mode = tile[0].args if (tile := getattr(image, "tile", None)) else None
    return (raw_mode if isinstance(raw_mode, str) else raw_mode[0] if raw_mode else None) in _RAW_MODES


def _shrunk(size: tuple[int, int], short_side: int | None) -> tuple[int, int]:
    """Width and height with the shorter side at most ``short_side`` and the aspect kept."""
    shorter = min(size)
    if short_side is None or shorter <= short_side:
        return size
    longer = math.floor(max(size) * short_side / shorter + 0.5)
    return (short_side, longer) if size[0] == shorter else (longer, short_side)


def _encoded(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    try:
        return codec.encode(pixels)
    except (OSError, ValueError) as error:  # JPEG holds no side above 65,500 pixels
        raise BrokenImageError(f"cannot be encoded: {error}") from error
