"""What the web does to photographs: all are encoded again, some cut, mirrored or recoloured."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

ENCODED_ONLY_SHARE = 0.60
ONE_EDIT_SHARE = 0.25  # the rest has two different ones
EDIT_SHARES = {"crop": 0.40, "mirror": 0.25, "recolour": 0.35}  # of the edits
RECOLOUR_SHARES = {"brightness": 0.3, "contrast": 0.3, "saturation": 0.25, "grey": 0.15}  # of the recoloured
JPEG_QUALITIES = (60, 95)
CROPPED_BY = (1, 6)  # pixels of a side of 32: a cropped picture has 26 to 31, each side its own
FACTORS = (0.6, 1.5)  # of brightness, contrast and saturation; 1 is the picture itself

_ENHANCERS = {
    "brightness": ImageEnhance.Brightness,
    "contrast": ImageEnhance.Contrast,
    "saturation": ImageEnhance.Color,
}


def edited(data: bytes, random: np.random.Generator) -> tuple[bytes, str]:
    """Change an encoded photograph as its copies on the web are changed.

    Args:
        data: an image file.
        random: decides everything.

    Returns:
        JPEG bytes, and what was done: ``jpeg 83``, or ``crop 28x31+2+0, mirror, jpeg 71``.
    """
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGB")
    done = []
    for edit in _draw_edits(random):
        picture, said = {"crop": _crop, "mirror": _mirror, "recolour": _recolour}[edit](picture, random)
        done.append(said)
    quality = int(random.integers(JPEG_QUALITIES[0], JPEG_QUALITIES[1] + 1))
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue(), ", ".join([*done, f"jpeg {quality}"])


def _draw_edits(random: np.random.Generator) -> list[str]:
    draw = random.random()
    number = 0 if draw < ENCODED_ONLY_SHARE else 1 if draw < ENCODED_ONLY_SHARE + ONE_EDIT_SHARE else 2
    return [str(edit) for edit in random.choice(list(EDIT_SHARES), number, replace=False, p=list(EDIT_SHARES.values()))]


def _crop(picture: Image.Image, random: np.random.Generator) -> tuple[Image.Image, str]:
    by = random.integers(CROPPED_BY[0], CROPPED_BY[1] + 1, 2)
    wide, high = picture.width - int(by[0]), picture.height - int(by[1])
    left, top = int(random.integers(picture.width - wide + 1)), int(random.integers(picture.height - high + 1))
    return picture.crop((left, top, left + wide, top + high)), f"crop {wide}x{high}+{left}+{top}"


def _mirror(picture: Image.Image, random: np.random.Generator) -> tuple[Image.Image, str]:
    del random  # nothing is drawn: there is one mirror image
    return ImageOps.mirror(picture), "mirror"


def _recolour(picture: Image.Image, random: np.random.Generator) -> tuple[Image.Image, str]:
    kind = str(random.choice(list(RECOLOUR_SHARES), p=list(RECOLOUR_SHARES.values())))
    if kind == "grey":
        return ImageOps.grayscale(picture).convert("RGB"), "grey"
    factor = float(round(random.uniform(*FACTORS), 2))
    return _ENHANCERS[kind](picture).enhance(factor), f"{kind} {factor:g}"
