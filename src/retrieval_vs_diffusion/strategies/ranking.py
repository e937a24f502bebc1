"""Ranking a pool for each class: the search that all retrievers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from retrieval_vs_diffusion.errors import UserError

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.clip import Clip
    from retrieval_vs_diffusion.models.vector_index import VectorIndex

_FIRST_SEARCH = 64  # neighbours a query asked for at least; doubled until there are enough
LOWEST_SIMILARITY = -1.0  # of a cosine; a floor that keeps nothing out
_DECIMALS = 9  # of similarities in double precision
_DEEP = 4  # a search for more than this part of an exact index takes longer than a look at all of it
_COMPARED = 256  # rows that are compared with all classes at once
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
    nearest = _NearestClasses(index, similarity_to)
    done: dict[int, Ranked] = {}
    while len(done) < len(wanted):
        # Classes that have enough are searched no deeper: one that is short would have all search the whole pool.
        searched = _search(queries, [label for label in wanted if label not in done], index, depth, left_out)
        nearest.look_at(searched.rows)
        ranked: dict[int, Ranked] = {}
        whole: dict[int, bool] = {}  # whether everything above the floor was found
        for label, (unseen, found) in searched.of_class.items():
            class_of, similarity = nearest.of(found)
            mine = (class_of == label) & (similarity >= floor)
            eligible, own = found[mine], similarity[mine]
            if merge_by_rank:
                to_query = (index.vectors(eligible).astype(np.float64) @ queries[label].T).round(_DECIMALS)
                rank, certain = _best_ranks(to_query, unseen)
                order = np.lexsort((eligible, -own, rank))
            else:
                certain = own > unseen.max()
                order = np.lexsort((eligible, -own))
            whole[label] = bool(unseen.max() < floor)
            order = order if whole[label] else order[certain[order]]
            if whole[label] or len(order) >= wanted[label]:  # fewer will not do, however little they are thinned
                ranked[label] = [(int(eligible[each]), float(own[each])) for each in order]
        thinned = thin(ranked, wanted)
        done |= {label: rows for label, rows in thinned.items() if whole[label] or len(rows) >= wanted[label]}
        depth *= 2
    return {label: done[label] for label in wanted}


class _Searched(NamedTuple):
    """What a search found: pool rows, ascending; of each class those that it may have, and a bound on the others.

    No row that a query has not found is nearer to it than the bound; -inf where there is none.
    """

    rows: Int[np.ndarray, " n"]
    of_class: dict[int, tuple[Float[np.ndarray, " q"], Int[np.ndarray, " m"]]]


class _NearestClasses:
    """The class to which each found row is nearest. A row that many classes find is compared with them all once.

    In double precision, rounded: float32 tells copies apart, and differently in each search.
    """

    def __init__(self, index: VectorIndex, similarity_to: ClassSimilarity) -> None:
        self._index, self._similarity_to = index, similarity_to
        self._rows = np.zeros(0, dtype=np.int64)  # ascending
        self._labels, self._similarities = np.zeros(0, dtype=np.int64), np.zeros(0)

    def look_at(self, rows: Int[np.ndarray, " n"]) -> None:
        """Compare the rows that are new with all classes."""
        new = np.setdiff1d(rows, self._rows)
        parts = [self._compared(new[start : start + _COMPARED]) for start in range(0, len(new), _COMPARED)]
        together = np.concatenate([self._rows, new])
        order = np.argsort(together)
        self._rows = together[order]
        self._labels = np.concatenate([self._labels, *(labels for labels, _ in parts)])[order]
        self._similarities = np.concatenate([self._similarities, *(similar for _, similar in parts)])[order]

    def of(self, rows: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Of rows that were looked at their class, -1 for a broken one, and the similarity to it."""
        at = np.searchsorted(self._rows, rows)
        return self._labels[at], self._similarities[at]

    def _compared(self, rows: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        vectors = self._index.vectors(rows).astype(np.float64)
        to_class = self._similarity_to(vectors).round(_DECIMALS)
        labels = np.where(vectors.any(axis=1), to_class.argmax(axis=1), -1)
        return labels, to_class.max(axis=1)


def _search(
    queries: Sequence[Float[np.ndarray, "_ d"]],
    labels: Sequence[int],
    index: VectorIndex,
    depth: int,
    left_out: Int[np.ndarray, " n"] | None,
) -> _Searched:
    """The neighbours of each class's queries, of all classes in one search; from some depth on, all rows."""
    kept_out = np.zeros(0, dtype=np.int64) if left_out is None else left_out
    if depth >= len(index) or (index.exact and depth * _DEEP >= len(index)):
        if index.exact:  # nothing is to be found: one pass over the pool tells the classes of all rows
            rows = np.setdiff1d(np.arange(len(index)), kept_out)
            return _Searched(rows, {label: (np.full(len(queries[label]), -np.inf), rows) for label in labels})
        depth = len(index)
    similarities, rows = index.search(np.concatenate([queries[label] for label in labels]), depth)
    ends = np.cumsum([len(queries[label]) for label in labels])[:-1]
    of_class = {}
    for label, similar, found in zip(labels, np.split(similarities, ends), np.split(rows, ends), strict=True):
        # An index that is not exact may find fewer than it is asked for, and then has no more to give.
        exhausted = depth >= len(index) or bool((found < 0).any(axis=1).all())
        unseen = np.full(len(found), -np.inf) if exhausted else similar[:, -1] + _ROUNDING
        of_class[label] = (unseen, np.setdiff1d(found[found >= 0], kept_out))
    return _Searched(np.unique(np.concatenate([found for _, found in of_class.values()])), of_class)


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
