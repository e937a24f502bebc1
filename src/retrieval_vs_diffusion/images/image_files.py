"""The image files in a user's folder: found, and read with care, for nobody knows where they come from."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from retrieval_vs_diffusion.errors import UserError, one_line
from retrieval_vs_diffusion.images.codec import BrokenImageError
from retrieval_vs_diffusion.remote.remote_path import RemotePath

logger = logging.getLogger(__name__)
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
LARGEST_PIXELS = 100_000_000  # 300 MB when decoded; a file of some kilobytes may claim far more


def image_files(folder: Path) -> Iterator[Path]:
    """All files under a folder whose names end as images do, sorted, by their paths from the folder.

    Links are followed to files inside the folder alone, never to folders. What is hidden (its name begins with
    a dot) is left out, and so is what is no regular file: a pipe would be waited for. Folders within it that cannot
    be listed are told and left out.

    Raises:
        UserError: if the folder itself cannot be listed.
    """
    if isinstance(folder, RemotePath):
        yield from _remote_files(folder)
        return
    root = folder.resolve()
    found, waiting = [], [str(root)]
    while waiting:
        place = waiting.pop()
        try:
            listing = os.scandir(place)
        except OSError as error:  # it is no folder, may not be read, or lies too deep
            if place == str(root):
                raise UserError(f"{folder}: cannot be listed ({error.strerror}); a folder will do") from error
            logger.warning("%s: left out, for it cannot be listed: %s", one_line(place, 200), error.strerror)
            continue
        with listing as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif os.path.splitext(entry.name)[1].lower() in ENDINGS and _is_inside(entry, root):
                    found.append(entry.path)
    yield from sorted((Path(path).relative_to(root) for path in found), key=lambda path: path.as_posix())


def _remote_files(folder: RemotePath) -> Iterator[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: cannot be listed (nothing lies there); a folder will do")
    for name in sorted(folder.files_under()):
        if name.lower().endswith(ENDINGS) and not any(step.startswith(".") for step in name.split("/")):
            yield Path(name)


def _is_inside(entry: os.DirEntry, root: Path) -> bool:
    if not entry.is_symlink():  # which the listing itself tells: of a million files none is asked for
        return entry.is_file()
    try:
        return entry.is_file() and Path(entry.path).resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # links that point at each other in a circle
        return False


@contextmanager
def opened(source: Path | bytes, largest_pixels: int = LARGEST_PIXELS) -> Iterator[Image.Image]:
    """An image that is not decoded yet; whatever goes wrong while the block decodes it is a broken image.

    Args:
        source: a file, or the encoded bytes.
        largest_pixels: an image of more pixels is refused before it is decoded.

    Raises:
        BrokenImageError: if it is not a whole image of one of ``FORMATS``, or has too many pixels. The message
            up to its first colon is the kind of fault.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's on size and broken metadata; our limit decides
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
                if image.width * image.height > largest_pixels:
                    raise BrokenImageError(
                        f"too large: {image.width} x {image.height} pixels are more than the {largest_pixels:,} "
                        "that are read"
                    )
                yield image
    except (BrokenImageError, UserError):
        raise
    except UnidentifiedImageError as error:
        raise BrokenImageError(f"not a whole image of the formats {', '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:  # from twice Pillow's own limit on, before ours is looked at
        raise BrokenImageError(f"too large: {error}") from error
    except Exception as error:  # decoders raise anything on bytes that were made to break them
        raise BrokenImageError(f"not a whole image: {error or type(error).__name__}") from error


def read_image(source: Path | bytes, largest_pixels: int = LARGEST_PIXELS) -> UInt8[np.ndarray, "h w 3"]:
    """Decode a file, or its bytes, to RGB, upright; of an animation the first picture.

    Colours are converted as ``codec.decode`` does for the images that classifiers are trained on.

    Raises:
        BrokenImageError: as ``opened`` says.
    """
    with opened(source, largest_pixels) as image:
        return rgb(ImageOps.exif_transpose(image))


def rgb(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """Pixels of an image of any mode, as ``codec.decode`` converts them."""
    if image.mode.startswith("I"):  # 16 bits of grey, which a conversion would cut off at 255
        grey = (np.asarray(image, dtype=np.uint32) // 257).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))  # which copies what is RGB already
