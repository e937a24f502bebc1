"""What the screening sees of one image by itself, whatever came before it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.copies.pictures import grey_picture

BROKEN = "broken"  # the reason for which an image is refused that cannot be decoded


class Seen(NamedTuple):
    """What is seen of a whole image.

    Args:
        brightest: its largest value, 0 to 255.
        similarity: to the protected picture that it agrees with best, -1 to 1.
        nearest: the number of that picture.
    """

    brightest: int
    similarity: float
    nearest: int


def look_at(data: bytes) -> tuple[UInt8[np.ndarray, "32 32"], int]:
    """The grey picture of an encoded image, and its brightest value.

    Raises:
        BrokenImageError: if it cannot be decoded.
    """
    image = codec.decode(data)
    return grey_picture(image), int(image.max())
