"""Ranking a pool for each class: the search that all retrievers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from retrieval_vs_diffusion.errors import UserError

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
# Thins the rankings of classes out; told how many usable rows each must be left with.
Thinning: TypeAlias = Callable[[Mapping[int, Ranked], Mapping[int, int]], dict[int, Ranked]]
# Vectors [m, d] to their similarity [m, c] to each class.
ClassSimilarity: TypeAlias = Callable[[Float[np.ndarray, "m d"]], Float[np.ndarray, "m c"]]


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
    thin: Thinning = lambda ranked, _: dict(ranked),
    merge_by_rank: bool = False,
    left_out: Int[np.ndarray, " n"] | None = None,
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
        thin: thins rankings out, e.g. of near-duplicates.
        merge_by_rank: of the rows that a class may have each query's nearest first, then each one's
            second, instead of by similarity.
        left_out: rows that may not be used.

    A row whose vector is broken, and so read as zeros, is in no class: it is near to nothing.

    With an index that is not exact the neighbours are those that it finds; their similarities are exact all the
    same, as far as ``index`` has the vectors.
    """
    if not wanted or not len(index):
        return {label: [] for label in wanted}
    depth = min(len(index), max(_FIRST_SEARCH, 2 * max(wanted.values())))
    while True:
        ranked: dict[int, Ranked] = {}
        whole: dict[int, bool] = {}  # whether everything above the floor was found
        searched = _search(queries, list(wanted), index, depth)
        for label in wanted:
            similarities, rows = searched[label]
            found = np.setdiff1d(rows[rows >= 0], [] if left_out is None else left_out).astype(np.int64)
            # An index that is not exact may find fewer than it is asked for, and then has no more to give.
            exhausted = depth >= len(index) or bool((rows < 0).any(axis=1).all())
            # In double precision, rounded: float32 tells copies apart, and differently in each search.
            vectors = index.vectors(found).astype(np.float64)
            to_class = similarity_to(vectors).round(_DECIMALS)
            mine = (to_class.argmax(axis=1) == label) & (to_class[:, label] >= floor) & vectors.any(axis=1)
            eligible = np.flatnonzero(mine)
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
            whole[label] = exhausted or bool(unseen.max() < floor)
            order = order if whole[label] else order[certain[order]]
            ranked[label] = [(int(found[eligible[each]]), float(own[each])) for each in order]
        ranked = thin(ranked, wanted)
        if all(whole[label] or len(ranked[label]) >= count for label, count in wanted.items()):
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


def sphere_mean(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " d"]:
    """Mean of unit vectors, brought back to unit length."""
    mean = vectors.mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)
