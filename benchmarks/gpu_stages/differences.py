"""How far two results are apart, in figures that mean something of random models too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from benchmarks.gpu_stages.reported import Check
from benchmarks.natural_pictures import psnr


def contrast(images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> float:
    """The standard deviation of pixels within an image, of 255: grey images would agree whatever was computed."""
    return float(np.stack(images).astype(np.float64).std(axis=(1, 2)).mean())


def lowest_cosine(vectors: Float[np.ndarray, "n d"], reference: Float[np.ndarray, "n d"]) -> float:
    """The lowest cosine between vectors of the same row."""
    return float(_cosines(vectors.astype(np.float64), reference.astype(np.float64)).min())


def lowest_cosine_of_differences(vectors: Float[np.ndarray, "n d"], reference: Float[np.ndarray, "n d"]) -> float:
    """The lowest cosine of what tells the rows apart: random models give all images nearly the same embedding."""
    centre = reference.astype(np.float64).mean(axis=0)
    return float(_cosines(vectors.astype(np.float64) - centre, reference.astype(np.float64) - centre).min())


def image_checks(
    ours: Sequence[UInt8[np.ndarray, "h w 3"]],
    theirs: Sequence[UInt8[np.ndarray, "h w 3"]],
    reference: Sequence[UInt8[np.ndarray, "h w 3"]],
    least: float,
) -> tuple[Check, ...]:
    """That images are those of float32 as far as the precision allows.

    Args:
        ours: in low precision.
        theirs: of the peer, in the same precision.
        reference: in float32.
        least: PSNR in dB that ours must have to the reference.
    """
    of_ours, of_theirs = (psnr(np.stack(each), np.stack(reference)) for each in (ours, theirs))
    return (
        Check("contrast of the float32 images", contrast(reference), at_least=20),
        Check("PSNR of ours to float32 in dB", of_ours, at_least=least),
        # A tolerance that is wide because the precision is low would let a fault pass that the peer does not have.
        Check("the same less the peer's", min(of_ours, 99) - min(of_theirs, 99), at_least=-3),
    )


def _cosines(vectors: np.ndarray, reference: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(reference, axis=1)
    return (vectors * reference).sum(axis=1) / lengths
