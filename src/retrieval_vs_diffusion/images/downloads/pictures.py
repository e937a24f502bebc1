"""What was downloaded, checked to be an image and made as small as it is needed."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from retrieval_vs_diffusion.images.codec import BrokenImageError
from retrieval_vs_diffusion.images.image_files import opened
from retrieval_vs_diffusion.images.photo import fault_of, photo_row
from retrieval_vs_diffusion.images.sample import Sample

_JPEG = b"\xff\xd8\xff"
_ORIENTATION, _ON_THEIR_SIDE = 0x0112, range(5, 9)  # the EXIF tag, and its values for a quarter turn
_TELLING = {"too small", "too large"}  # kinds of fault that are told; all others are no image

# Reading an image silences warnings, which two threads cannot do at once; and one large image in memory is enough.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Picture:
    """An image as it is kept.

    Args:
        data: PNG or JPEG, which ``codec.decode`` reads.
        width: of ``data``, in pixels.
        height: of ``data``, in pixels.
        original_width: of what was downloaded, upright.
        original_height: of what was downloaded, upright.
    """

    data: bytes
    width: int
    height: int
    original_width: int
    original_height: int

    @property
    def ending(self) -> str:
        """Of a file's name, without the dot."""
        return "jpg" if self.data.startswith(_JPEG) else "png"


class NoPictureError(Exception):
    """What was downloaded is of no use; the message says why, in few words."""


def prepare(data: bytes, short_side: int | None) -> Picture:
    """Check that bytes are an image, and keep them, or encode it anew, as for images of any other pool.

    Args:
        data: whatever was downloaded.
        short_side: pixels to which the shorter side of a larger image is shrunk; None to keep it as it is.

    Raises:
        NoPictureError: if it is no whole image, or one of no use.
    """
    try:
        with _one_at_a_time:
            kept = photo_row(Sample("", data), short_side)["image"]["bytes"]
            return Picture(kept, *_upright_size(kept), *_upright_size(data))
    except BrokenImageError as error:
        fault = fault_of(error)
        raise NoPictureError(fault if fault in _TELLING else "no image") from error


def _upright_size(data: bytes) -> tuple[int, int]:
    with opened(data) as image:
        width, height = image.size
        turned = image.getexif().get(_ORIENTATION, 1) in _ON_THEIR_SIDE
    return (height, width) if turned else (width, height)
