"""Copies of pictures as the leak screening must find them, each kind of edit with its drawn strength."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

FACTORS = (0.6, 1.5)  # of brightness, contrast and saturation
GAMMAS = (0.6, 1 / 0.6)
HUES = (0.05, 0.15)  # of a turn of the colour circle, either way

Edit = Callable[[Image.Image, np.random.Generator], Image.Image]


def encoded(quality: int) -> Edit:
    """As a JPEG file of this quality."""

    def edit(picture: Image.Image, random: np.random.Generator) -> Image.Image:
        buffer = io.BytesIO()
        picture.save(buffer, format="JPEG", quality=quality)
        return Image.open(buffer).convert("RGB")

    return edit


def smaller_and_back(share: float) -> Edit:
    """Down to this share of each side, and up again."""

    def edit(picture: Image.Image, random: np.random.Generator) -> Image.Image:
        small = picture.resize([round(side * share) for side in picture.size], Image.Resampling.LANCZOS)
        return small.resize(picture.size, Image.Resampling.BICUBIC)

    return edit


def enlarged(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """To twice its sides; 32 pixels become 64."""
    return picture.resize([2 * side for side in picture.size], Image.Resampling.BICUBIC)


def cropped(kept: float) -> Edit:
    """So much of each side, anywhere, resized to the picture's size."""

    def edit(picture: Image.Image, random: np.random.Generator) -> Image.Image:
        wide, high = (round(side * kept) for side in picture.size)
        left, top = (int(random.integers(rest + 1)) for rest in (picture.width - wide, picture.height - high))
        return picture.crop((left, top, left + wide, top + high)).resize(picture.size, Image.Resampling.BICUBIC)

    return edit


def mirrored(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Left for right."""
    return ImageOps.mirror(picture)


def enhanced(kind: Callable[[Image.Image], ImageEnhance._Enhance]) -> Edit:
    """Brightness, contrast or saturation times a drawn factor."""
    return lambda picture, random: kind(picture).enhance(float(random.uniform(*FACTORS)))


def other_hue(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Colours turned by 18 to 54 degrees."""
    values = np.asarray(picture.convert("HSV")).copy()
    turn = random.uniform(*HUES) * random.choice([-1, 1])
    values[..., 0] = (values[..., 0].astype(int) + round(256 * turn)) % 256
    return Image.fromarray(values, "HSV").convert("RGB")


def grey(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Without colours."""
    return ImageOps.grayscale(picture).convert("RGB")


def other_gamma(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Mid-tones lighter or darker."""
    gamma = np.exp(random.uniform(*np.log(GAMMAS)))
    return Image.fromarray(np.rint(255 * (np.asarray(picture) / 255) ** gamma).astype(np.uint8))


SINGLE: dict[str, Edit] = {
    "JPEG 75": encoded(75),
    "JPEG 50": encoded(50),
    "JPEG 30": encoded(30),
    "to 75 % and back": smaller_and_back(0.75),
    "to 50 % and back": smaller_and_back(0.5),
    "enlarged": enlarged,
    "cropped, 10 % of each side": cropped(0.9),
    "cropped, 10 % of the area": cropped(0.9**0.5),
    "mirrored": mirrored,
    "brightness": enhanced(ImageEnhance.Brightness),
    "contrast": enhanced(ImageEnhance.Contrast),
    "saturation": enhanced(ImageEnhance.Color),
    "hue": other_hue,
    "grey": grey,
    "gamma": other_gamma,
}


def _both(*names: str) -> Edit:
    def edit(picture: Image.Image, random: np.random.Generator) -> Image.Image:
        for name in names:
            picture = SINGLE[name](picture, random)
        return picture

    return edit


_CROP = "cropped, 10 % of each side"
DOUBLE: dict[str, Edit] = {
    "mirrored and cropped": _both("mirrored", _CROP),
    "cropped and JPEG 50": _both(_CROP, "JPEG 50"),
    "cropped and to 50 %": _both(_CROP, "to 50 % and back"),
    "mirrored and JPEG 30": _both("mirrored", "JPEG 30"),
    "cropped and gamma": _both(_CROP, "gamma"),
    "cropped twice": _both(_CROP, _CROP),
    "contrast and to 50 %": _both("contrast", "to 50 % and back"),
}


def plant(pixels: np.ndarray, edit: Edit, random: np.random.Generator) -> np.ndarray:
    """The pixels of an edited copy."""
    return np.asarray(edit(Image.fromarray(pixels), random))
