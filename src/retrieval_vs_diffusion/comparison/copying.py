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

_READ_AT_ONCE = 256  # images


def nearest_in_pool(
    thumbnails: UInt8[np.ndarray, "n 16 16"],
    embeddings: Float[np.ndarray, "n d"],
    pool: ImageTable,
    index: VectorIndex,
    side: int,
    threshold: float,
    neighbours: int = 10,
) -> dict[str, float | None]:
    """Compare each image with the pool images that are nearest to it in CLIP space.

    A diffusion model can give its training images back (Carlini et al. 2023, arXiv:2301.13188). CLIP
    finds what could be a copy; whether it is one, the correlation of thumbnails says.

    Args:
        thumbnails: of generated images, at least one.
        embeddings: of the same images, by the CLIP model that the index was made with.
        pool: images of any size.
        index: of the pool, row for row; not empty.
        side: pixels of the squares that the thumbnails were made of; of pool images the centre is taken in that size.
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
    parts = (distinct[start : start + _READ_AT_ONCE] for start in range(0, len(distinct), _READ_AT_ONCE))
    found = np.stack(
        [thumbnail(square(codec.decode(data), side)) for part in parts for data in pool.take(part).encoded()]
    )
    copied = [
        NearDuplicates(found[near]).nearest_to_thumbnails(each[None])[0][0] >= threshold
        for each, near in zip(thumbnails, places.reshape(rows.shape), strict=True)
    ]
    return {**figures, "copied_share": float(np.mean(copied))}
