"""Near-duplicates of protected images, by correlation of small grey thumbnails.

The base world's 16-pixel digits are too alike for perceptual hashes, and its CLIP knows classes, not
pictures. The largest correlation over shifts of one pixel finds a copy that was moved, lit or coded anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

THUMBNAIL = 16  # pixels a side
_MARGIN = 1  # largest shift in thumbnail pixels


def thumbnail(pixels: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "16 16"]:
    """The image in grey, averaged down to 16x16."""
    grey = Image.fromarray(pixels).convert("L")
    return np.asarray(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))


class NearDuplicates:
    """Similarity of images to a fixed set of thumbnails.

    Args:
        thumbnails: the protected images [m, 16, 16].
    """

    def __init__(self, thumbnails: UInt8[np.ndarray, "m 16 16"]) -> None:
        side = THUMBNAIL - 2 * _MARGIN
        shifted = [
            thumbnails[:, y : y + side, x : x + side] for y in range(2 * _MARGIN + 1) for x in range(2 * _MARGIN + 1)
        ]
        self._count = len(thumbnails)
        self._protected = _normalise(np.concatenate(shifted)) if self._count else np.zeros((0, side * side))

    def nearest(self, images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> tuple[Float[np.ndarray, " n"], list[int]]:
        """For each image its largest correlation, -1 to 1, with a protected image, and which one that is."""
        if not self._count or not len(images):
            return np.full(len(images), -1.0), [0] * len(images)
        side = slice(_MARGIN, THUMBNAIL - _MARGIN)
        query = _normalise(np.stack([thumbnail(image) for image in images])[:, side, side])
        correlation = query @ self._protected.T
        best = correlation.argmax(axis=1)
        return correlation[np.arange(len(best)), best], (best % self._count).tolist()


def _normalise(grey: np.ndarray) -> Float[np.ndarray, "n d"]:
    """Flatten, subtract each picture's mean, divide by its norm; flat pictures become zero."""
    vectors = grey.reshape(len(grey), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
