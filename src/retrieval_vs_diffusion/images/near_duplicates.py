"""Images that look alike, by correlation of small grey thumbnails, the largest over shifts of one pixel.

It thins what is retrieved and describes sets. Whether an image copies a protected one, ``copies`` tells:
thumbnails of two skies correlate as those of two copies do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from retrieval_vs_diffusion.images.growing_rows import GrowingRows

THUMBNAIL = 16  # pixels a side
_MARGIN = 1  # largest shift in thumbnail pixels
_SHIFTS = (2 * _MARGIN + 1) ** 2
_SIDE = THUMBNAIL - 2 * _MARGIN  # pixels a side of what is compared
_CENTRE = slice(_MARGIN, THUMBNAIL - _MARGIN)


def thumbnail(pixels: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "16 16"]:
    """The image in grey, averaged down to 16x16."""
    grey = Image.fromarray(pixels).convert("L")
    return np.asarray(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))


class NearDuplicates:
    """Similarity of images to a fixed set of thumbnails.

    Args:
        thumbnails: of the images that others are compared with.
    """

    def __init__(self, thumbnails: UInt8[np.ndarray, "m 16 16"]) -> None:
        self._count = len(thumbnails)
        self._known = _normalise(np.concatenate(_shifted(thumbnails))) if self._count else np.zeros((0, _SIDE**2))

    def nearest(self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> tuple[Float[np.ndarray, " n"], list[int]]:
        """For each image its largest correlation, -1 to 1, with a known image, and which one that is."""
        return self.nearest_to_thumbnails(
            np.array([thumbnail(image) for image in images], np.uint8).reshape(-1, THUMBNAIL, THUMBNAIL)
        )

    def nearest_to_thumbnails(
        self, thumbnails: UInt8[np.ndarray, "n 16 16"]
    ) -> tuple[Float[np.ndarray, " n"], list[int]]:
        """The same of images of which only the thumbnails are there."""
        if not self._count or not len(thumbnails):
            return np.full(len(thumbnails), -1.0), [0] * len(thumbnails)
        query = _normalise(thumbnails[:, _CENTRE, _CENTRE])
        correlation = query @ self._known.T
        best = correlation.argmax(axis=1)
        return correlation[np.arange(len(best)), best], (best % self._count).tolist()


class SimilarGroups:
    """Groups of images that look alike, found one image after the other.

    An image belongs to the group whose first image it is most similar to, if it is at least ``similarity``.

    Args:
        similarity: correlation of thumbnails, the largest over shifts of one pixel.
    """

    def __init__(self, similarity: float) -> None:
        self._similarity = similarity
        self._firsts = GrowingRows(_SIDE * _SIDE)  # of each group its first image, in all shifts
        self._sizes: list[int] = []

    def add(self, pixels: UInt8[np.ndarray, "h w 3"]) -> int:
        """Put an image into its group and return how many that group has now."""
        grey = thumbnail(pixels)[None]
        found = self._firsts.rows @ _normalise(grey[:, _CENTRE, _CENTRE])[0]
        best = int(found.argmax()) if len(found) else -1
        if best >= 0 and found[best] >= self._similarity:
            group = best // _SHIFTS
            self._sizes[group] += 1
            return self._sizes[group]
        self._firsts.add(_normalise(np.concatenate(_shifted(grey))))
        self._sizes.append(1)
        return 1


def _shifted(thumbnails: UInt8[np.ndarray, "m 16 16"]) -> list[UInt8[np.ndarray, "m 14 14"]]:
    """The thumbnails' windows at all shifts."""
    corners = [(y, x) for y in range(2 * _MARGIN + 1) for x in range(2 * _MARGIN + 1)]
    return [thumbnails[:, y : y + _SIDE, x : x + _SIDE] for y, x in corners]


def _normalise(grey: np.ndarray) -> Float[np.ndarray, "n d"]:
    """Flatten, subtract each picture's mean, divide by its norm; flat pictures become zero."""
    vectors = grey.reshape(len(grey), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
