"""How many pictures of a group that look alike a class may get: the web holds popular ones many times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.growing_rows import GrowingRows
from retrieval_vs_diffusion.images.near_duplicates import SimilarGroups
from retrieval_vs_diffusion.images.pool import Pool
from retrieval_vs_diffusion.strategies.ranking import Ranked, Thinning

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.vector_index import VectorIndex

_AT_ONCE = 64  # rows of the pool read together


class NearDuplicateLimit(BaseModel):
    """How many of a group of near-duplicates a class may get."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_most: Annotated[int, Field(ge=1)] = 1
    # From which two are alike: correlation of thumbnails, or cosine in CLIP space where a pool is of links and
    # what is not chosen must not be downloaded; above 1 for no limit.
    similarity: Annotated[float, Field(gt=0, le=1.01)] = 0.98


def limit_near_duplicates(pool: Pool, index: VectorIndex, limit: NearDuplicateLimit) -> Thinning:
    """A thinning for ``rank_pool``: of images that look alike the first ones alone.

    Broken images are let through: the screening refuses and counts them.
    """
    if limit.similarity > 1:
        return lambda ranked, _: dict(ranked)
    thin_one = _by_embedding(index, limit) if pool.is_downloaded else _by_thumbnail(pool, limit)
    return lambda ranked, wanted: {label: thin_one(rows, wanted[label]) for label, rows in ranked.items()}


def _by_thumbnail(pool: Pool, limit: NearDuplicateLimit) -> Callable[[Ranked, int], Ranked]:
    def thin(ranked: Ranked, count: int) -> Ranked:
        groups = SimilarGroups(limit.similarity)
        kept: Ranked = []
        for start in range(0, len(ranked), _AT_ONCE):
            part = ranked[start : start + _AT_ONCE]
            for each, row in zip(part, pool.rows([position for position, _ in part]), strict=True):
                if len(kept) >= count:
                    return kept
                try:
                    size = groups.add(codec.decode(row["image"]["bytes"]))
                except codec.BrokenImageError:
                    size = 1
                if size <= limit.at_most:
                    kept.append(each)
        return kept

    return thin


def _by_embedding(index: VectorIndex, limit: NearDuplicateLimit) -> Callable[[Ranked, int], Ranked]:
    def thin(ranked: Ranked, count: int) -> Ranked:
        vectors = index.vectors(np.array([row for row, _ in ranked], dtype=np.int64))
        firsts = GrowingRows(vectors.shape[1])
        sizes: list[int] = []
        kept: Ranked = []
        for each, vector in zip(ranked, vectors, strict=True):
            if len(kept) >= count:
                break
            alike = firsts.rows @ vector
            group = int(alike.argmax()) if len(alike) else -1
            if group < 0 or alike[group] < limit.similarity:
                firsts.add(vector[None])
                sizes.append(0)
                group = len(sizes) - 1
            sizes[group] += 1
            if sizes[group] <= limit.at_most:
                kept.append(each)
        return kept

    return thin
