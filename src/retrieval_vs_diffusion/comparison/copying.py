"""How close generated images come to images of the pool."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.near_duplicates import NearDuplicates, thumbnail
from retrieval_vs_diffusion.images.pool import LINKS
from retrieval_vs_diffusion.images.square import square
from retrieval_vs_diffusion.models.vector_index import VectorIndex


def nearest_in_pool(
    squares: UInt8[np.ndarray, "n s s 3"],
    embeddings: Float[np.ndarray, "n d"],
    pool: ImageTable,
    index: VectorIndex,
    threshold: float,
    neighbours: int = 10,
) -> dict[str, float | None]:
    """Compare each image with the pool images that are nearest to it in CLIP space.

    A diffusion model can give its training images back (Carlini et al. 2023, arXiv:2301.13188). CLIP
    finds what could be a copy; whether it is one, the correlation of thumbnails says.

    Args:
        squares: generated images, at least one.
        embeddings: of the same images, by the CLIP model that the index was made with.
        pool: images of any size; their centres are taken as squares of the same side.
        index: of the pool, row for row; not empty.
        threshold: correlation from which an image is a copy of a pool image.
        neighbours: pool images that each image is compared with.

    Returns:
        ``nearest_pool_mean`` and ``nearest_pool_max``, the images' cosine to the pool image nearest to
        each, and ``copied_share``, the share of images that copy one of their neighbours, in [0, 1]; None for a
        pool of links, of which nothing is downloaded to be compared.
    """
    similarities, rows = index.search(embeddings, min(neighbours, len(index)))
    nearest = similarities[:, 0].clip(-1, 1)  # rounding puts a copy's cosine a little above 1
    figures: dict[str, float | None] = {
        "nearest_pool_mean": float(nearest.mean()),
        "nearest_pool_max": float(nearest.max()),
        "copied_share": None,
    }
    if pool.ledger.get("kind") == LINKS:
        return figures
    rows = np.where(rows < 0, rows[:, :1], rows)  # where an index found fewer, the nearest stands again
    distinct, places = np.unique(rows, return_inverse=True)
    side = squares.shape[1]
    found = np.stack([thumbnail(square(codec.decode(data), side)) for data in pool.take(distinct).encoded()])
    copied = [
        NearDuplicates(found[near]).nearest([image])[0][0] >= threshold
        for image, near in zip(squares, places.reshape(rows.shape), strict=True)
    ]
    return {**figures, "copied_share": float(np.mean(copied))}
