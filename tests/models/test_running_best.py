import numpy as np
import pytest

from retrieval_vs_diffusion.models import running_best
from retrieval_vs_diffusion.models.running_best import RunningBest


def add(best, *triples):
    queries, rows, found = (np.array(each) for each in zip(*triples, strict=True))
    best.add(queries, rows, found.astype(np.float32))


def test_the_best_are_kept_and_the_floor_is_the_worst_of_them():
    best = RunningBest(2, 2)
    add(best, (0, 5, 0.1), (0, 6, -0.5), (1, 5, 0.3))
    assert best.floors.tolist() == [-0.5, -np.inf]  # the second has one of two
    add(best, (0, 7, 0.2))
    best.merge()
    assert best.floors[0] == np.float32(0.1)
    similarities, rows = best.sorted()
    assert rows.tolist() == [[7, 5], [5, -1]]
    assert similarities.tolist() == [[np.float32(0.2), np.float32(0.1)], [np.float32(0.3), -np.inf]]


def test_of_equals_the_lowest_rows_win_in_whatever_order_they_come():
    best = RunningBest(1, 3)
    add(best, (0, 9, 0.0), (0, 2**32 - 1, 0.0))
    add(best, (0, 4, -0.0), (0, 0, -1e-30), (0, 7, 0.0))
    assert best.sorted()[1].tolist() == [[4, 7, 9]]  # -0 is 0


def test_a_row_that_a_key_cannot_hold_is_an_error():
    with pytest.raises(ValueError, match="row 4294967296"):
        add(RunningBest(1, 3), (0, 2**32, 0.5))


@pytest.mark.parametrize("at_once", [1, 1024])
def test_the_best_of_parts_are_the_best_of_all_in_whatever_order_the_parts_come(at_once, monkeypatch):
    monkeypatch.setattr(running_best, "_QUERIES_AT_ONCE", at_once)
    whole, one, other = (RunningBest(2, 3) for _ in range(3))
    first, second = [(0, 1, 0.5), (0, 3, 0.5), (1, 1, 0.1)], [(0, 8, 0.5), (0, 9, 0.7)]
    add(whole, *first, *second)
    add(one, *first)
    add(other, *second)
    for parts in ([one, other], [other, one]):
        merged = RunningBest(2, 3)
        for part in parts:
            merged.add_keys(part.keys)
        similarities, rows = merged.sorted()
        assert rows.tolist() == [[9, 1, 3], [1, -1, -1]]  # 8 is as near as 1 and 3, and comes after them
        assert np.array_equal(similarities, whole.sorted()[0])
        assert merged.floors.tolist() == [0.5, -np.inf]
