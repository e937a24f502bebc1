"""Ranking a pool for each class: the search that all retrievers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import BaseModel, ConfigDict, Field

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.near_duplicates import SimilarGroups

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.clip import Clip
    from retrieval_vs_diffusion.models.vector_index import VectorIndex

_FIRST_SEARCH = 64  # neighbours a query asked for at least; doubled until there are enough
LOWEST_SIMILARITY = -1.0  # of a cosine; a floor that keeps nothing out
_DECIMALS = 9  # of similarities in double precision
_ROUNDING = 1e-5  # by how much an index's own similarities, in single precision, may be off

Ranked: TypeAlias = list[tuple[int, float]]  # pool rows with their similarity, best first
# Ranks the pool for classes that must have so many rows, above a floor.
Search: TypeAlias = Callable[[Mapping[int, int], float], dict[int, Ranked]]
# Vectors [m, d] to their similarity [m, c] to each class.
ClassSimilarity: TypeAlias = Callable[[Float[np.ndarray, "m d"]], Float[np.ndarray, "m c"]]


class NearDuplicateLimit(BaseModel):
    """How many of a group of near-duplicates a class may get: the web holds popular pictures many times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_most: Annotated[int, Field(ge=1)] = 1
    similarity: Annotated[float, Field(gt=0, le=1.01)] = 0.98  # correlation of thumbnails; above 1 for no limit


def check_same_clip(index: VectorIndex, clip: Clip) -> None:
    """Check that an index holds embeddings of the model that makes the queries.

    Raises:
        UserError: if it holds another's.
    """
    if index.clip_name != clip.name:
        raise UserError(
            f"the index holds embeddings of {index.clip_name}, the prompts are of {clip.name}: build it again"
        )


def rank_pool(
    queries: Sequence[Float[np.ndarray, "_ d"]],
    similarity_to: ClassSimilarity,
    index: VectorIndex,
    wanted: Mapping[int, int],
    floor: float,
    limited: Callable[[Ranked, int], Ranked] = lambda ranked, _: ranked,
    merge_by_rank: bool = False,
) -> dict[int, Ranked]:
    """For each wanted class its pool rows, best first, each row in the one class to which it is nearest.

    The pool is searched deeper until every class has ``wanted[label]`` rows, or nothing above ``floor``
    is left: the result is that of comparing every row with every class. Of equals the first row of the
    pool comes first, and the first class has it; so a ranking that is asked for further goes on where
    it stopped.

    Args:
        queries: of each class by label; a row's similarity to a class is at most that to its nearest query.
        similarity_to: similarity of vectors to each class.
        index: over the pool.
        wanted: rows that each class must have at least, where there are so many.
        floor: least similarity.
        limited: thins a ranking out, e.g. of near-duplicates; told how many rows must be left.
        merge_by_rank: of the rows that a class may have each query's nearest first, then each one's
            second, instead of by similarity.
    """
    if not wanted or not len(index):
        return {label: [] for label in wanted}
    depth = min(len(index), max(_FIRST_SEARCH, 2 * max(wanted.values())))
    while True:
        ranked: dict[int, Ranked] = {}
        settled = True
        exhausted = depth >= len(index)
        searched = _search(queries, list(wanted), index, depth)
        for label, count in wanted.items():
            similarities, rows = searched[label]
            found = np.unique(rows).astype(np.int64)
            # In double precision, rounded: float32 tells copies apart, and differently in each search.
            vectors = index.vectors(found).astype(np.float64)
            to_class = similarity_to(vectors).round(_DECIMALS)
            eligible = np.flatnonzero((to_class.argmax(axis=1) == label) & (to_class[:, label] >= floor))
            own = to_class[eligible, label]
            # No row that a query has not found is nearer to it than this.
            unseen = np.full(len(rows), -np.inf) if exhausted else similarities[:, -1] + _ROUNDING
            if merge_by_rank:
                to_query = (vectors[eligible] @ queries[label].T).round(_DECIMALS)
                rank, certain = _best_ranks(to_query, unseen)
                order = np.lexsort((found[eligible], -own, rank))
            else:
                certain = own > unseen.max()
                order = np.lexsort((found[eligible], -own))
            whole = bool(unseen.max() < floor)  # everything above the floor was found
            order = order if whole else order[certain[order]]
            taken = [(int(found[eligible[each]]), float(own[each])) for each in order]
            ranked[label] = limited(taken, count)
            settled &= exhausted or whole or len(ranked[label]) >= count
        if settled:
            return ranked
        depth = min(len(index), 2 * depth)


def _search(
    queries: Sequence[Float[np.ndarray, "_ d"]], labels: Sequence[int], index: VectorIndex, depth: int
) -> dict[int, tuple[Float[np.ndarray, "_ k"], Int[np.ndarray, "_ k"]]]:
    """Similarities and rows of the neighbours of each class's queries; all classes in one search, which is faster."""
    similarities, rows = index.search(np.concatenate([queries[label] for label in labels]), depth)
    ends = np.cumsum([len(queries[label]) for label in labels])[:-1]
    return dict(zip(labels, zip(np.split(similarities, ends), np.split(rows, ends), strict=True), strict=True))


def _best_ranks(
    to_query: Float[np.ndarray, "m q"], unseen: Float[np.ndarray, " q"]
) -> tuple[Int[np.ndarray, " m"], Bool[np.ndarray, " m"]]:
    """The best rank that each row has with any query, and whether rows that were not found cannot change it.

    Args:
        to_query: similarities of the found rows, in the pool's order.
        unseen: for each query a bound on the similarity of rows that were not found.
    """
    order = np.argsort(-to_query, axis=0, kind="stable")
    ranks = np.argsort(order, axis=0, kind="stable")
    best = ranks.min(axis=1, initial=len(to_query))
    certain = (to_query > unseen).sum(axis=0).min()  # the ranks that are settled with every query
    return best, best < certain


def limit_near_duplicates(pool: ImageTable, limit: NearDuplicateLimit) -> Callable[[Ranked, int], Ranked]:
    """A thinning for ``rank_pool``: of images that look alike the first ones alone.

    Broken images are let through: the screening refuses and counts them.
    """
    if limit.similarity > 1:
        return lambda ranked, _: ranked

    def thin(ranked: Ranked, count: int) -> Ranked:
        groups = SimilarGroups(limit.similarity)
        kept: Ranked = []
        for row, similarity in ranked:
            if len(kept) >= count:
                break
            try:
                size = groups.add(codec.decode(pool.row(row)["image"]["bytes"]))
            except codec.BrokenImageError:
                size = 1
            if size <= limit.at_most:
                kept.append((row, similarity))
        return kept

    return thin


def sphere_mean(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " d"]:
    """Mean of unit vectors, brought back to unit length."""
    mean = vectors.mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)


def rows_of(pool: ImageTable, ranked: Iterable[tuple[int, float]], label: int, query: str) -> Iterable[dict]:
    """Image rows of ranked pool rows: labelled, with their similarity and what found them."""
    for row, similarity in ranked:
        yield {**pool.row(row), "label": label, "similarity": similarity, "prompt": query}


def ranked_rows(
    pool: ImageTable,
    search: Search,
    wanted: Mapping[int, int],
    first: Mapping[int, int],
    floor: float,
    query_of: Callable[[int], str],
) -> Iterable[dict]:
    """The images of ranks ``first`` to ``first + wanted - 1`` of each class, then those that the floor keeps out.

    Args:
        pool: the images.
        search: ranks them.
        wanted: images of each class.
        first: images of each class that were brought before.
        floor: least similarity.
        query_of: what finds the images of a class, in words.
    """
    ranks = {label: first[label] + count for label, count in wanted.items()}
    ranked = search(ranks, floor)
    for label in wanted:
        yield from rows_of(pool, ranked[label][first[label] : ranks[label]], label, query_of(label))
    above = {label: len(ranked[label]) for label in wanted}
    short_by = {label: ranks[label] - max(above[label], first[label]) for label in wanted}
    yield from rows_below_floor(pool, search, above, short_by, floor, query_of)


def rows_below_floor(
    pool: ImageTable,
    search: Search,
    above: Mapping[int, int],
    short_by: Mapping[int, int],
    floor: float,
    query_of: Callable[[int], str],
) -> Iterable[dict]:
    """The nearest images that a floor keeps out of the classes that it leaves short, marked as refused.

    They are counted and shown, so that a user sees what the floor keeps out; none is used.

    Args:
        pool: the images.
        search: ranks them.
        above: images of each class above the floor.
        short_by: how many images each class lacks; those that lack none are passed over.
        floor: least similarity.
        query_of: what finds the images of a class, in words.
    """
    deeper = {label: above[label] + lacking for label, lacking in short_by.items() if lacking > 0}
    if not deeper or floor <= LOWEST_SIMILARITY:
        return
    for label, ranked in search(deeper, LOWEST_SIMILARITY).items():
        below = sorted((each for each in ranked if each[1] < floor), key=lambda each: -each[1])
        for row in rows_of(pool, below[: short_by[label]], label, query_of(label)):
            yield {**row, "refused": f"below_floor: similarity {row['similarity']:.3f} is under {floor:g}"}
