"""Fixed costs and costs by unit, with stand-in timings."""

from __future__ import annotations

import pytest

from retrieval_vs_diffusion.planning.linear_cost import LinearCost, measure_linear


def test_two_lengths_tell_fixed_costs_from_those_of_each_unit():
    lengths = []

    def run(length: int) -> float:
        lengths.append(length)
        return 2.0 + 0.6 * length + (50.0 if len(lengths) == 1 else 0.0)  # the first run compiles

    cost = measure_linear(run, longest=1000)
    assert (cost.fixed, cost.per_unit) == (pytest.approx(2.0), pytest.approx(0.6))
    assert lengths == [1, 1, 3]  # 1.2 s apart: more than noise
    assert cost(1000) == pytest.approx(602.0)


def test_short_units_are_run_longer_until_they_tell_something():
    lengths = []

    def run(length: int) -> float:
        lengths.append(length)
        return 1.0 + 0.02 * length

    measure_linear(run, longest=1000)
    assert lengths == [1, 1, 3, 9, 27, 81]  # 81 - 1 steps of 0.02 s are the first to take a second


def test_the_pilot_is_never_longer_than_the_work():
    lengths = []
    measure_linear(lambda length: lengths.append(length) or 0.001 * length, longest=4)
    assert max(lengths) == 4
    assert measure_linear(lambda length: 3.0, longest=1) == LinearCost(3.0, 0.0)


def test_noise_gives_no_negative_cost():
    times = iter([9.0, 2.0, 1.0, 1.0])  # the longer run was the faster one
    assert measure_linear(lambda length: next(times), longest=4) == LinearCost(2.0, 0.0)
