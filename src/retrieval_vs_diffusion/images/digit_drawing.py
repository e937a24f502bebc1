"""Handwritten digits of 8x8 grey levels drawn as small RGB pictures with a look.

The digits are scikit-learn's ``load_digits`` (UCI Optical Recognition of Handwritten Digits; 1,797
digits by 43 writers, shipped with the library). A *look* is everything about a picture but the digit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

SIZE = 16  # pixels a side of a drawn picture
CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SUPERSAMPLING = 2
_STROKE_SHARPNESS = 9.0  # slope of the soft threshold that makes strokes out of grey levels


@dataclass(frozen=True)
class Look:
    """How each of n pictures is drawn; every field has one entry a picture."""

    rotation: Float[np.ndarray, " n"]  # degrees
    shear: Float[np.ndarray, " n"]  # horizontal shift in heights per height
    scale: Float[np.ndarray, " n"]  # share of the picture that the digit's 8x8 box fills
    shift: Float[np.ndarray, "n 2"]  # of the centre, in halves of the picture's width and height
    threshold: Float[np.ndarray, " n"]  # grey level in [0, 1] from which a point belongs to a stroke
    ink: Float[np.ndarray, "n 3"]  # RGB in [0, 1]
    background: Float[np.ndarray, "n 3"]  # RGB in [0, 1]
    contrast: Float[np.ndarray, " n"]  # 1: ink as it is; 0: ink like the background
    blur: Float[np.ndarray, " n"]  # share of a 5-tap binomial blur that is mixed in
    gradient: Float[np.ndarray, "n 2"]  # illumination, brightness change from centre to right and to bottom edge
    noise: float  # standard deviation of Gaussian pixel noise, in [0, 1] brightness


def load_digit_images() -> tuple[Float[np.ndarray, "1797 8 8"], Int[np.ndarray, " 1797"]]:
    """scikit-learn's digits in file order: grey levels in [0, 1], and the digit each one shows."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.images / 16.0, digits.target.astype(np.int64)


def draw(digits: Float[np.ndarray, "n 8 8"], look: Look, random: np.random.Generator) -> UInt8[np.ndarray, "n 16 16 3"]:
    """Draw each digit with its look."""
    strokes = _strokes(digits, look)[..., None]
    ink = look.background + look.contrast[:, None] * (look.ink - look.background)
    background = look.background[:, None, None, :]
    return finish(background + strokes * (ink[:, None, None, :] - background), look, random)


def finish(
    pictures: Float[np.ndarray, "n h w 3"], look: Look, random: np.random.Generator
) -> UInt8[np.ndarray, "n h w 3"]:
    """Apply the look's blur, illumination and noise, and round to 8 bits."""
    blur = look.blur[:, None, None, None]
    pictures = (1 - blur) * pictures + blur * _binomial_blur(pictures)
    ramp = np.linspace(-1, 1, pictures.shape[1])
    light = (
        look.gradient[:, 0, None, None] * ramp[None, None, :] + look.gradient[:, 1, None, None] * ramp[None, :, None]
    )
    pictures = pictures + light[..., None] + random.normal(0, look.noise, pictures.shape)
    return (pictures.clip(0, 1) * 255).round().astype(np.uint8)


def _strokes(digits: Float[np.ndarray, "n 8 8"], look: Look) -> Float[np.ndarray, "n 16 16"]:
    """How much of each pixel is covered by ink, in [0, 1]."""
    import torch
    from torch.nn import functional

    angle = np.deg2rad(look.rotation)
    cos, sin = np.cos(angle), np.sin(angle)
    # Maps picture coordinates to digit coordinates: undo the shift, then scale, rotation and shear.
    inverse = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2) / look.scale[:, None, None]
    inverse[:, 0] += look.shear[:, None] * inverse[:, 1]
    offset = -np.einsum("nij,nj->ni", inverse, look.shift)
    affine = torch.from_numpy(np.concatenate([inverse, offset[..., None]], -1)).float()
    fine = SIZE * _SUPERSAMPLING
    grid = functional.affine_grid(affine, [len(digits), 1, fine, fine], align_corners=False)
    grey = functional.grid_sample(torch.from_numpy(digits).float()[:, None], grid, mode="bicubic", align_corners=False)
    threshold = torch.from_numpy(look.threshold).float()[:, None, None, None]
    covered = torch.sigmoid(_STROKE_SHARPNESS * (grey - threshold))
    return functional.avg_pool2d(covered, _SUPERSAMPLING)[:, 0].double().numpy()


def _binomial_blur(pictures: Float[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n h w 3"]:
    """Blur with the kernel 1 4 6 4 1 along both axes, edges repeated."""
    from scipy.ndimage import convolve1d

    kernel = np.array([1, 4, 6, 4, 1]) / 16
    return convolve1d(convolve1d(pictures, kernel, axis=1, mode="nearest"), kernel, axis=2, mode="nearest")
