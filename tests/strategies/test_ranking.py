"""The search that retrievers share, against comparing every pool image with every class."""

import numpy as np
import pytest

from retrieval_vs_diffusion.models.vector_index import Embeddings, build_index
from retrieval_vs_diffusion.strategies import ranking
from retrieval_vs_diffusion.strategies.ranking import rank_pool, sphere_mean

CLASSES, SIZE, WIDTH = 4, 400, 6


@pytest.fixture(autouse=True)
def shallow(monkeypatch):
    """The first search is far too shallow, so that it must be deepened."""
    monkeypatch.setattr(ranking, "_FIRST_SEARCH", 2)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def world(seed: int, queries_per_class: int, copies: bool):
    """Random queries and a random pool; with ``copies`` each vector stands in it five times, spread out."""
    random = np.random.default_rng(seed)
    pool = unit(random.normal(size=(SIZE, WIDTH)))
    if copies:
        pool = np.tile(pool[: SIZE // 5], (5, 1))
    return unit(random.normal(size=(CLASSES, queries_per_class, WIDTH))), pool


def by_hand(queries, pool, label: int, floor: float, merge_by_rank: bool) -> list[int]:
    """The ranking of one class by sorting the whole pool."""
    similarities = np.einsum("nd,cqd->ncq", pool.astype(float), queries.astype(float)).round(9)
    nearest = similarities.max(axis=2)
    own = [row for row in range(len(pool)) if nearest[row].argmax() == label and nearest[row, label] >= floor]
    rank = {row: len(pool) for row in own}
    for query in range(queries.shape[1]):
        for position, row in enumerate(sorted(own, key=lambda row: (-similarities[row, label, query], row))):
            rank[row] = min(rank[row], position)
    return sorted(own, key=lambda row: (rank[row] if merge_by_rank else 0, -nearest[row, label], row))


def ranked(
    queries, pool, wanted, floor=-1.0, merge_by_rank=False, thin=lambda ranked, _: dict(ranked), index=None, **how
):
    def similarity_to(vectors):
        return np.stack([(vectors @ own.T).max(axis=1) for own in queries], axis=1)

    index = index or build_index(Embeddings(pool, "toy"))
    return rank_pool(list(queries), similarity_to, index, wanted, floor, thin, merge_by_rank, **how)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize("floor", [-1.0, 0.6, 0.99])
# One of many, some of two classes, about all that lie above the middle floor, and more than there are.
@pytest.mark.parametrize("wanted", [{0: 1}, {0: 3, 2: 12}, {1: 40}, {2: 30, 3: 500}])
@pytest.mark.parametrize(("queries_per_class", "merge_by_rank"), [(1, False), (3, False), (3, True), (1, True)])
def test_the_ranking_is_that_of_comparing_everything(seed, copies, floor, wanted, queries_per_class, merge_by_rank):
    queries, pool = world(seed, queries_per_class, copies)
    found = ranked(queries, pool, wanted, floor, merge_by_rank)
    assert list(found) == list(wanted)
    for label, count in wanted.items():
        expected = by_hand(queries, pool, label, floor, merge_by_rank)
        assert [row for row, _ in found[label]][:count] == expected[:count]
        assert len(found[label]) >= min(count, len(expected))
        # What comes beyond the number that was asked for is in order too.
        assert [row for row, _ in found[label]] == expected[: len(found[label])]


@pytest.mark.parametrize("merge_by_rank", [False, True])
@pytest.mark.parametrize("copies", [False, True])
def test_asking_for_more_goes_on_where_it_stopped(copies, merge_by_rank):
    queries, pool = world(0, 3, copies)
    everything = by_hand(queries, pool, 0, -1.0, merge_by_rank)
    for count in (1, 2, 3, 7, 20, 40, len(everything) + 2):
        found = [row for row, _ in ranked(queries, pool, {0: count}, merge_by_rank=merge_by_rank)[0]]
        assert found[:count] == everything[:count]


def test_a_row_is_in_one_class_and_every_row_is_in_some_class():
    queries, pool = world(1, 3, copies=True)
    found = ranked(queries, pool, dict.fromkeys(range(CLASSES), SIZE))
    taken = [row for each in found.values() for row, _ in each]
    assert sorted(taken) == list(range(SIZE))


def test_a_row_that_is_as_near_to_two_classes_goes_to_the_first():
    queries = unit(np.array([[[1.0, 1.0]], [[1.0, -1.0]]]))
    found = ranked(queries, unit(np.array([[1.0, 0.0], [0.9, 0.1], [0.9, -0.1]])), {0: 3, 1: 3})
    assert [[row for row, _ in found[label]] for label in (0, 1)] == [[1, 0], [2]]


def test_where_nothing_is_wanted_or_the_pool_is_empty_nothing_is_found():
    queries, pool = world(0, 1, copies=False)
    assert ranked(queries, pool, {}) == {}
    assert ranked(queries, pool[:0], {0: 3}) == {0: []}


def test_what_is_thinned_out_is_replaced_by_what_comes_next():
    queries, pool = world(2, 1, copies=False)
    everything = by_hand(queries, pool, 0, -1.0, merge_by_rank=False)

    def every_third(found, counts):
        return {label: rows[::3][: counts[label]] for label, rows in found.items()}

    found = ranked(queries, pool, {0: 9}, thin=every_third)[0]
    assert [row for row, _ in found] == everything[:27:3]  # 9 are left of the first 27


@pytest.mark.parametrize("merge_by_rank", [False, True])
@pytest.mark.parametrize("wanted", [{0: 1}, {1: 12, 3: 5}, {2: 500}])
def test_rows_that_are_left_out_are_as_if_they_were_not_in_the_pool(wanted, merge_by_rank):
    queries, pool = world(3, 3, copies=True)
    usual = ranked(queries, pool, wanted, merge_by_rank=merge_by_rank)
    left_out = np.unique([row for each in usual.values() for row, _ in each[::2]])  # half of what would be taken
    found = ranked(queries, pool, wanted, merge_by_rank=merge_by_rank, left_out=left_out)
    remaining = np.setdiff1d(np.arange(SIZE), left_out)
    for label, count in wanted.items():
        expected = [int(remaining[row]) for row in by_hand(queries, pool[remaining], label, -1.0, merge_by_rank)]
        assert [row for row, _ in found[label]] == expected[: len(found[label])]
        assert len(found[label]) >= min(count, len(expected))


def test_of_a_pool_whose_rows_are_all_left_out_nothing_is_found():
    queries, pool = world(3, 1, copies=False)
    assert ranked(queries, pool, {0: 2, 1: 1}, left_out=np.arange(SIZE)) == {0: [], 1: []}


class Lists:
    """An index of two inverted lists, of the first 50 rows and of all others; each query looks at one of them, in turn.

    Where a list has fewer rows than it is asked for it says -1, as FAISS does.
    """

    def __init__(self, pool: np.ndarray) -> None:
        self.pool, self.depths, self.exact = pool, [], False
        self.lists = np.split(np.arange(len(pool)), [50])

    def __len__(self) -> int:
        return len(self.pool)

    def vectors(self, rows: np.ndarray) -> np.ndarray:
        return self.pool[rows]

    def search(self, queries: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
        self.depths.append(depth)
        similarities = np.full((len(queries), depth), np.finfo(np.float32).min, np.float32)
        rows = np.full((len(queries), depth), -1)
        for number, query in enumerate(queries):
            own = self.lists[number % 2]
            near = own[np.argsort(-(self.pool[own] @ query), kind="stable")][:depth]
            rows[number, : len(near)], similarities[number, : len(near)] = near, self.pool[near] @ query
        return similarities, rows


@pytest.mark.parametrize("merge_by_rank", [False, True])
def test_where_an_index_has_no_more_to_give_what_it_found_is_all_there_is(merge_by_rank):
    queries, pool = world(4, 1, copies=False)
    index = Lists(pool)
    found = ranked(queries, pool, {0: 20}, merge_by_rank=merge_by_rank, index=index)[0]
    expected = by_hand(queries, pool[:50], 0, -1.0, merge_by_rank)  # the one query looks at the first list
    assert [row for row, _ in found] == expected
    assert len(expected) < 20
    assert index.depths == [40, 80]  # 2 x 20, and doubled; the list has 50, so nobody asks for 160


def test_while_one_query_of_a_class_has_more_to_give_the_search_goes_on():
    queries, pool = world(5, 2, copies=False)
    index = Lists(pool)
    assert len(by_hand(queries, pool, 0, -1.0, merge_by_rank=False)) >= 70
    found = [row for row, _ in ranked(queries, pool, {0: 70}, index=index)[0]]
    assert len(found) >= 70  # of the 50 and the 140 that the first search finds fewer belong to this class
    assert len(found) == len(set(found))
    assert set(found) <= set(range(SIZE))
    assert len(index.depths) > 1


def test_the_mean_on_the_sphere_has_unit_length():
    assert sphere_mean(np.array([[1.0, 0.0], [0.0, 1.0]])) == pytest.approx([0.5**0.5, 0.5**0.5])
    assert sphere_mean(np.array([[1.0, 0.0], [-1.0, 0.0]])) == pytest.approx([0.0, 0.0])  # of opposites nothing is left


class Counting:
    """An exact index that notes each search: how many queries, and how deep."""

    exact = True

    def __init__(self, pool: np.ndarray) -> None:
        self.pool, self.searches, self.compared = pool, [], 0
        self.index = build_index(Embeddings(pool, "toy"))

    def __len__(self) -> int:
        return len(self.pool)

    def vectors(self, rows: np.ndarray) -> np.ndarray:
        self.compared += len(rows)
        return self.index.vectors(rows)

    def search(self, queries: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
        self.searches.append((len(queries), depth))
        return self.index.search(queries, depth)


def test_a_class_that_is_short_has_no_other_searched_deeper_and_no_row_is_compared_twice():
    queries, pool = world(4, 1, copies=False)
    index = Counting(pool)
    found = ranked(queries, pool, {0: 1, 1: 1, 2: 1, 3: SIZE}, index=index)
    everything = by_hand(queries, pool, 3, -1.0, merge_by_rank=False)
    assert [row for row, _ in found[3]] == everything  # fewer than it asked for
    # A search for more than the pool has would take longer than one look at all of it.
    assert (index.searches, index.compared) == ([], SIZE)
    index = Counting(pool)

    def every_fifth_of_the_last(found, counts):
        return {label: rows[::5] if label == 3 else rows for label, rows in found.items()}

    # 15 of 75 rows of the last class: it alone is searched again, 30 and 60 deep, and 120 is over a quarter of 400.
    ranked(queries, pool, {0: 1, 1: 1, 2: 1, 3: 15}, thin=every_fifth_of_the_last, index=index)
    assert index.searches == [(CLASSES, 30), (1, 60)]
    assert index.compared == SIZE
