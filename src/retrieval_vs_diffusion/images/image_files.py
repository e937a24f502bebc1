"""The image files in a user's folder: found, and read with care, for nobody knows where they come from."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from retrieval_vs_diffusion.images.codec import BrokenImageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
LARGEST_PIXELS = 100_000_000  # 300 MB when decoded; a file of some kilobytes may claim far more


def image_files(folder: Path) -> Iterator[Path]:
    """All files under a folder whose names end as images do, sorted, by their paths from the folder.

    Links are followed to files inside the folder alone, never to folders. What is hidden (its name begins with
    a dot) is left out, and so is what is no regular file: a pipe would be waited for.
    """
    root = folder.resolve()
    found = []
    for place, inside, files in os.walk(root, followlinks=False):
        inside[:] = [name for name in inside if not name.startswith(".")]
        for name in files:
            path = Path(place, name)
            if name.startswith(".") or path.suffix.lower() not in ENDINGS:
                continue
            if path.is_file() and path.resolve().is_relative_to(root):
                found.append(path.relative_to(root))
    yield from sorted(found, key=lambda path: path.as_posix())


def read_image(path: Path, largest_pixels: int = LARGEST_PIXELS) -> UInt8[np.ndarray, "h w 3"]:
    """Decode a file to RGB, upright; of an animation the first picture.

    Colours are converted as ``codec.decode`` does for the images that classifiers are trained on.

    Raises:
        BrokenImageError: if it is not a whole image of one of ``FORMATS``, or has more than
            ``largest_pixels`` pixels. Larger ones are refused before they are decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's on size and broken metadata; our limit decides
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > largest_pixels:
                    raise BrokenImageError(
                        f"{image.width} x {image.height} pixels are more than the {largest_pixels:,} that are read"
                    )
                return _rgb(ImageOps.exif_transpose(image))
    except BrokenImageError:
        raise
    except UnidentifiedImageError as error:
        raise BrokenImageError(f"not a whole image of the formats {', '.join(FORMATS)}") from error
    except Exception as error:  # decoders raise anything on bytes that were made to break them
        raise BrokenImageError(f"not a whole image: {error or type(error).__name__}") from error


def _rgb(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    if image.mode.startswith("I"):  # 16 bits of grey, which a conversion would cut off at 255
        grey = (np.asarray(image, dtype=np.uint32) // 257).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.asarray(image.convert("RGB"))
