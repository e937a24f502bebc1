"""Ratios of interleaved repeats, as tables of seconds that are given."""

from __future__ import annotations

import pytest

from benchmarks.measuring import Measured, interleaved


def test_a_ratio_is_of_one_repeat_and_the_median_is_told() -> None:
    measured = Measured(ours=(1.0, 2.0, 1.0), theirs=(3.0, 4.0, 10.0))
    assert measured.ratios == (3.0, 2.0, 10.0)
    assert measured.ratio == 3.0  # the ratio of the medians would be 4


def test_a_share_is_of_the_other_side() -> None:
    assert Measured(ours=(12.0,), theirs=(240.0,), is_share=True).ratio == pytest.approx(0.05)


def test_sides_take_turns_and_who_begins_alternates() -> None:
    calls: list[str] = []
    interleaved(lambda: calls.append("o"), lambda: calls.append("t"), repeats=3)
    assert "".join(calls) == "to" + "ot" + "to" + "ot"  # once each before the clock runs


def test_where_a_first_time_belongs_to_the_work_nothing_runs_before() -> None:
    calls: list[str] = []
    interleaved(lambda: calls.append("o"), lambda: calls.append("t"), repeats=1, warm_up=False)
    assert "".join(calls) == "ot"


def test_a_side_that_knows_its_seconds_is_believed() -> None:
    measured = interleaved(lambda: 0.5, lambda: 2.0, repeats=2)
    assert (measured.ours, measured.theirs) == ((0.5, 0.5), (2.0, 2.0))


def test_nothing_is_the_same_before_it_was_compared() -> None:
    measured = interleaved(lambda: 1.0, lambda: 1.0, repeats=1)
    assert not measured.same_result
    assert measured.with_check(True, "ids").same_result
