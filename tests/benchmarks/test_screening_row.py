"""What `make benchmark` compares the gate's copy search with."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cuttings import cuttings
from benchmarks.stages import screening


def test_cuttings_show_each_another_part():
    drawn = cuttings(40, 300)
    assert {each.shape for each in drawn} == {(40, 40, 3)}
    assert len({each.tobytes() for each in drawn}) == 300
    assert [each.tobytes() for each in cuttings(40, 300)] == [each.tobytes() for each in drawn]


def test_more_cuttings_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="asked for 100000 cuttings of 40 pixels; the photographs give"):
        cuttings(40, 100_000)


def test_all_pairs_find_the_planted_copies_and_nothing_else():
    of = screening.pictures(protected=20, copies=15, others=10)  # a copy of each kind of edit, of the first 15
    found = screening.compared_all(of.protected, of.pool)
    assert found <= {(each, each) for each in range(15)}
    assert len(found) >= 14  # a hue turned far may be lost
    assert (of.edits.index("mirrored"), of.edits.index("mirrored")) in found


def test_blocks_of_pairs_are_those_of_all_at_once(monkeypatch):
    of = screening.pictures(protected=20, copies=15, others=10)
    at_once = screening.compared_all(of.protected, of.pool)
    monkeypatch.setattr(screening, "_PAIRS_AT_ONCE", 2 * 20 * 4)  # four pictures and their mirror images against 20
    assert screening.compared_all(of.protected, of.pool) == at_once


def test_the_row_sees_a_search_that_misses_a_copy(monkeypatch):
    of = screening.pictures(protected=10, copies=5, others=5)
    assert screening._beside_all_pairs(of, repeats=1).same_result
    monkeypatch.setattr(screening, "searched", lambda *sides: screening.compared_all(*sides) - {(0, 0)})
    told = screening._beside_all_pairs(of, repeats=1)
    assert not told.same_result
    assert "1 of them otherwise here" in told.checked


def test_shares_of_copies_found_are_told():
    picture = np.zeros((40, 40, 3), np.uint8)
    of = screening.Pictures([picture] * 3, [picture] * 5, ["JPEG 75", "JPEG 75", "grey"])
    told = screening._told(of, {(0, 0), (1, 2), (2, 2), (4, 1)})  # the second names another, the fifth copies none
    assert told == {"encoded again": 0.5, "all": pytest.approx(2 / 3), "wrong": 1}
