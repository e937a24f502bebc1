"""The rows of a ranked pool, of images that are there and of links that may be dead."""

import pytest

from retrieval_vs_diffusion.images.pool import Pool, open_pool
from retrieval_vs_diffusion.strategies.ranked_rows import _TRIES, ranked_rows, rows_below_floor, rows_of
from tests.strategies.retrieve.angles import images

POOL = open_pool(images(range(5), "pool"))


def test_rows_keep_what_the_pool_says_of_them():
    (row,) = rows_of(POOL, [(1, 0.25)], label=3, query="a three")
    assert (row["image_id"], row["label"], row["similarity"], row["prompt"]) == ("pool/1", 3, 0.25, "a three")


# Pool rows of one class with their similarity; a search as deep as it is asked for, as rank_pool makes them.
EVERYTHING = [(3, 0.9), (0, 0.8), (2, 0.6), (1, 0.4), (4, 0.3)]


def search(ranks, floor):
    return {label: [each for each in EVERYTHING if each[1] >= floor][:count] for label, count in ranks.items()}


def shown(wanted: int, first: int, floor: float) -> list[tuple[str, str | None]]:
    found = ranked_rows(POOL, search, {0: wanted}, {0: first}, floor, lambda label: f"class {label}")
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

    found = rows_below_floor(POOL, noting, {0: 3, 1: 3}, {0: 0, 1: 1}, 0.5, str)
    assert [(row["label"], row["image_id"]) for row in found] == [(1, "pool/1")]
    assert asked == [({1: 4}, -1.0)]  # three above the floor and one more
    assert list(rows_below_floor(POOL, noting, {0: 3}, {0: 0}, 0.5, str)) == []
    assert len(asked) == 1


# ---- links


class Links:
    """Stands for a pool of links of which some are dead; notes what it was asked to download, call by call."""

    def __init__(self, size: int, dead: set[int]) -> None:
        self.size, self.dead, self.calls, self.known = size, dead, [], set()

    def __len__(self) -> int:
        return self.size

    def prefetch(self, positions) -> None:
        self.calls.append([row for row in positions if row not in self.known])
        self.known |= set(positions)

    def rows(self, positions) -> list[dict]:
        assert set(positions) <= self.known, "rows are downloaded one by one"
        return [{"row": row, "refused": "dead: HTTP 404" if row in self.dead else None} for row in positions]


def brought(links: Links, wanted: dict, first: dict, ranking: dict, overfetch: float = 1.0, found_more: int = 0):
    """Rows of each class, the dead ones negative; a search may find more than it is asked for."""

    def search(ranks, floor):
        return {
            label: [(row, 1.0 - row / 100) for row in ranking[label]][: count + found_more]
            for label, count in ranks.items()
        }

    found = {label: [] for label in wanted}
    for row in ranked_rows(Pool(links, overfetch=overfetch), search, wanted, first, -1.0, lambda label: f"q{label}"):
        assert row["prompt"] == f"q{row['label']}"
        found[row["label"]].append(-row["row"] if row["refused"] else row["row"])
    return found


def test_of_links_more_are_tried_until_enough_are_alive_and_the_dead_ones_are_told():
    links = Links(40, dead={1, 2, 5})
    assert brought(links, {0: 4}, {0: 0}, {0: range(1, 40)}) == {0: [-1, -2, 3, 4, -5, 6, 7]}
    # Four are tried, half of them dead, so for the two that lack four more; nothing is asked for twice.
    assert links.calls == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_where_more_are_fetched_at_once_those_that_were_not_needed_are_not_among_the_rows():
    links = Links(40, dead={2})
    assert brought(links, {0: 4}, {0: 0}, {0: range(1, 40)}, overfetch=1.5) == {0: [1, -2, 3, 4, 5]}
    assert links.calls == [[1, 2, 3, 4, 5, 6]]  # 1.5 x 4


def test_all_classes_are_downloaded_together_and_only_those_that_lack_some_go_on():
    links = Links(100, dead={1, 2})
    ranking = {0: range(1, 20), 1: range(50, 90)}
    assert brought(links, {0: 2, 1: 2}, {0: 0, 1: 0}, ranking) == {0: [-1, -2, 3, 4], 1: [50, 51]}
    # Half of the four are alive, so for the two that lack four more are tried.
    assert links.calls == [[1, 2, 50, 51], [3, 4, 5, 6]]


def test_asking_later_goes_on_after_all_that_was_brought_the_dead_included():
    ranking, dead = {0: range(1, 40)}, {1, 2, 5, 9}
    whole = brought(Links(40, dead), {0: 8}, {0: 0}, ranking)[0]
    first = brought(Links(40, dead), {0: 3}, {0: 0}, ranking)[0]
    then = brought(Links(40, dead), {0: 5}, {0: len(first)}, ranking)[0]
    assert first + then == whole


def test_a_ranking_that_is_at_its_end_is_not_asked_again():
    links = Links(10, dead={1, 3})
    assert brought(links, {0: 5}, {0: 0}, {0: [1, 2, 3]}) == {0: [-1, 2, -3]}
    assert links.calls == [[1, 2, 3]]
    assert brought(links, {0: 2}, {0: 3}, {0: [1, 2, 3]}) == {0: []}


def test_below_the_floor_nothing_is_downloaded_to_be_refused():
    links = Links(40, dead=set())
    ranking = {0: range(1, 40)}

    def search(ranks, floor):
        found = {label: [(row, 1.0 - row / 10) for row in ranking[label]][:count] for label, count in ranks.items()}
        return {label: [each for each in rows if each[1] >= floor] for label, rows in found.items()}

    found = list(ranked_rows(Pool(links), search, {0: 5}, {0: 0}, 0.75, str))
    assert [row["row"] for row in found] == [1, 2]  # 0.9 and 0.8
    assert links.known == {1, 2}


@pytest.mark.parametrize("found_more", [0, 500])
def test_where_all_links_are_dead_it_ends_after_some_tries(found_more):
    links = Links(10_000, dead=set(range(10_000)))
    found = brought(links, {0: 2}, {0: 0}, {0: range(1, 10_000)}, found_more=found_more)[0]
    assert all(row < 0 for row in found)
    assert len([call for call in links.calls if call]) == _TRIES
    # Two, then for two that lack 2 / 0.1 more each time: no more than a tenth is counted on.
    assert [len(call) for call in links.calls] == [2, *[20] * (_TRIES - 1)]


@pytest.mark.parametrize("count", [1, 3, 10])
def test_never_more_are_alive_than_are_wanted(count):
    links = Links(200, dead=set(range(0, 200, 3)))
    found = brought(links, {0: count}, {0: 0}, {0: range(200)}, overfetch=4.0)[0]
    assert len([row for row in found if row > 0]) == count
