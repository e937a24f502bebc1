"""What a diffusion model generated, as 8-bit pixels; what is not finite becomes black and is told."""

from __future__ import annotations

import logging

import numpy as np
from jaxtyping import Float, UInt8

logger = logging.getLogger(__name__)


class GeneratedPixels:
    """Turns generated images into pixels, and warns of the first that hold numbers that are not finite.

    Half precision brings them about (SDXL's autoencoder overflows in it). They become black, not random: the
    screening refuses black images and counts them.

    Args:
        checkpoint: the model's name, for the warning.
    """

    def __init__(self, checkpoint: str) -> None:
        self._checkpoint = checkpoint
        self._told = False

    def __call__(self, images: Float[np.ndarray, "n h w 3"]) -> UInt8[np.ndarray, "n h w 3"]:
        """Images in [0, 1] as 8-bit pixels."""
        broken = int((~np.isfinite(images)).any(axis=(1, 2, 3)).sum())
        if broken and not self._told:
            self._told = True
            logger.warning(
                "%s makes numbers that are not finite in %d of %d images: they become black there, and the screening "
                "refuses black images and counts them. diffusion.precision: bfloat16 or float32 mends what float16 "
                "breaks",
                self._checkpoint,
                broken,
                len(images),
            )
        return (np.nan_to_num(images, nan=0.0, posinf=0.0, neginf=0.0).clip(0, 1) * 255).round().astype(np.uint8)
