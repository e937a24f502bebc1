"""What of two pictures is compared when one lies over the other."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from retrieval_vs_diffusion.images.copies.pictures import SIDE

_FINE, _COARSE = 0.7, 2.5  # pixels of a picture of 32: what is compared lies between these scales
_AROUND = 3.0  # pixels: detail is divided by how strong it is around
_WEAK = 6.0  # grey levels of detail; weaker one is raised the less


class Detail:
    """The middle frequencies of pictures, weak ones nearly as strong as strong ones.

    The lowest frequencies make any two skies alike, the highest are lost when a picture is encoded or made smaller.
    And a frame, a horizon or a silhouette, which many pictures share, must not outweigh what they show.

    Args:
        side: short side of the original images in pixels. Those under 32 were enlarged, and so are the scales.
    """

    def __init__(self, side: int = SIDE) -> None:
        scale = SIDE / min(SIDE, side)
        self._fine, self._coarse, self._around = (_blur(scale * each) for each in (_FINE, _COARSE, _AROUND))

    def __call__(self, pictures: Float[np.ndarray, "n 32 32"]) -> Float[np.ndarray, "n 32 32"]:
        """The detail of each picture."""
        middle = _blurred(pictures, self._fine) - _blurred(pictures, self._coarse)
        return middle / np.sqrt(_blurred(middle * middle, self._around) + _WEAK**2)


def _blurred(pictures: Float[np.ndarray, "n 32 32"], blur: Float[np.ndarray, "32 32"]) -> Float[np.ndarray, "n 32 32"]:
    return blur @ pictures @ blur.T


def _blur(deviation: float) -> Float[np.ndarray, "32 32"]:
    """A Gaussian blur along one axis as a matrix; at the edges of what there is."""
    distance = np.arange(SIDE)[:, None] - np.arange(SIDE)
    weights = np.exp(-0.5 * (distance / deviation) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
