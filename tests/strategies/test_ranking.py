"""The search that retrievers share, against comparing every pool image with every class."""

import numpy as np
import pytest

from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.models.vector_index import Embeddings, build_index
from retrieval_vs_diffusion.strategies import ranking
from retrieval_vs_diffusion.strategies.ranking import (
    NearDuplicateLimit,
    limit_near_duplicates,
    rank_pool,
    ranked_rows,
    rows_below_floor,
    rows_of,
    sphere_mean,
)

CLASSES, SIZE, WIDTH = 4, 400, 6
NO_LIMIT = NearDuplicateLimit(similarity=1.01)


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


def ranked(queries, pool, wanted, floor=-1.0, merge_by_rank=False, limited=lambda ranked, _: ranked):
    def similarity_to(vectors):
        return np.stack([(vectors @ own.T).max(axis=1) for own in queries], axis=1)

    index = build_index(Embeddings(pool, "toy"))
    return rank_pool(list(queries), similarity_to, index, wanted, floor, limited, merge_by_rank)


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

    def every_third(found, count):
        return found[::3][:count]

    found = ranked(queries, pool, {0: 9}, limited=every_third)[0]
    assert [row for row, _ in found] == everything[:27:3]  # 9 are left of the first 27


def pictures(*seeds: int | None) -> ImageTable:
    """Pictures that are alike where their seeds are; None is a file that is broken."""
    made = []
    for number, seed in enumerate(seeds):
        pixels = np.random.default_rng(seed or 0).integers(0, 200, (16, 16, 3), dtype=np.uint8)
        row = image_row(pixels + number, f"pool/{number}")  # lit otherwise, so not the same file
        made.append(row if seed is not None else {**row, "image": {"bytes": b"broken", "path": None}})
    return ImageTable.from_rows(made)


@pytest.mark.parametrize(("at_most", "kept"), [(1, [0, 2, 4]), (2, [0, 1, 2, 4, 5]), (3, [0, 1, 2, 3, 4, 5])])
def test_at_most_so_many_of_a_group_that_looks_alike_are_kept(at_most, kept):
    pool = pictures(7, 7, 8, 7, 9, 9)
    thin = limit_near_duplicates(pool, NearDuplicateLimit(at_most=at_most))
    everything = [(row, 1.0) for row in range(6)]
    assert [row for row, _ in thin(everything, 6)] == kept
    assert thin(everything, 2) == thin(everything, 6)[:2]  # however many are asked for, they begin alike


def test_broken_pictures_are_left_to_the_screening_and_no_limit_is_no_limit():
    pool = pictures(7, None, None, 7)
    everything = [(row, 1.0) for row in range(4)]
    assert [row for row, _ in limit_near_duplicates(pool, NearDuplicateLimit())(everything, 4)] == [0, 1, 2]
    assert limit_near_duplicates(pool, NO_LIMIT)(everything, 4) == everything


def test_rows_keep_what_the_pool_says_of_them():
    (row,) = rows_of(pictures(7, 8), [(1, 0.25)], label=3, query="a three")
    assert (row["image_id"], row["label"], row["similarity"], row["prompt"]) == ("pool/1", 3, 0.25, "a three")


# Pool rows of one class with their similarity; a search as deep as it is asked for, as rank_pool makes them.
EVERYTHING = [(3, 0.9), (0, 0.8), (2, 0.6), (1, 0.4), (4, 0.3)]


def search(ranks, floor):
    return {label: [each for each in EVERYTHING if each[1] >= floor][:count] for label, count in ranks.items()}


def shown(wanted: int, first: int, floor: float) -> list[tuple[str, str | None]]:
    found = ranked_rows(pictures(1, 2, 3, 4, 5), search, {0: wanted}, {0: first}, floor, lambda label: f"class {label}")
    return [(row["image_id"], row["refused"]) for row in found]


def test_the_rows_of_the_ranks_come_first_and_then_what_the_floor_keeps_out():
    out = "below_floor: similarity {:.3f} is under 0.5"
    assert shown(2, 0, floor=0.5) == [("pool/3", None), ("pool/0", None)]  # ranks 0 and 1: none is missing
    assert shown(2, 2, floor=0.5) == [("pool/2", None), ("pool/1", out.format(0.4))]  # rank 3 is below it
    assert shown(9, 1, floor=0.5) == [
        *(("pool/0", None), ("pool/2", None)),
        *(("pool/1", out.format(0.4)), ("pool/4", out.format(0.3))),  # seven are missing, two are there
    ]
    assert shown(1, 3, floor=0.5) == [("pool/1", out.format(0.4))]  # all three above it were brought before
    assert shown(1, 5, floor=0.5) == [("pool/1", out.format(0.4))]  # never more than are wanted


def test_without_a_floor_no_row_is_refused():
    assert shown(9, 0, floor=-1.0) == [(f"pool/{row}", None) for row, _ in EVERYTHING]


def test_a_class_that_lacks_nothing_is_not_searched_again():
    asked = []

    def noting(ranks, floor):
        asked.append((dict(ranks), floor))
        return search(ranks, floor)

    found = rows_below_floor(pictures(1, 2, 3, 4, 5), noting, {0: 3, 1: 3}, {0: 0, 1: 1}, 0.5, str)
    assert [(row["label"], row["image_id"]) for row in found] == [(1, "pool/1")]
    assert asked == [({1: 4}, -1.0)]  # three above the floor and one more
    assert list(rows_below_floor(pictures(1), noting, {0: 3}, {0: 0}, 0.5, str)) == []
    assert len(asked) == 1


def test_the_mean_on_the_sphere_has_unit_length():
    assert sphere_mean(np.array([[1.0, 0.0], [0.0, 1.0]])) == pytest.approx([0.5**0.5, 0.5**0.5])
    assert sphere_mean(np.array([[1.0, 0.0], [-1.0, 0.0]])) == pytest.approx([0.0, 0.0])  # of opposites nothing is left
