"""Whether crossed_interval keeps its word: 500 synthetic sets of known truth, as benchmarks/calibrate_intervals.py.

Faults that were planted in crossed_interval, and what these tests then found:
- images' variance left out: 82 % hold an accuracy at 5 repetitions, 53 % at 20, and 33 % of families find something;
- repetitions' variance left out: 99 % hold a difference, and 82 % an accuracy where repetitions vary more;
- all cells taken as independent: 65 % and 42 % hold an accuracy;
- a normal quantile instead of Student's: 16 % and 26 % of families find something at 5 repetitions;
- degrees of freedom from the rows' mean square as it is: 12 % of families where repetitions vary more.
"""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from retrieval_vs_diffusion.comparison.intervals import accuracy_interval, crossed_interval
from retrieval_vs_diffusion.comparison.simulation import Variation, log_odds_for, simulate

SETS, ROWS = 500, 20
LOW, HIGH = 0.74, 0.82
CASES = {  # repetitions, images, variation
    "5": (5, 200, Variation()),
    "20": (20, 200, Variation()),
    "5, varying more": (5, 497, Variation(2.0, 0.3, 0.15, 0.7)),
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def sets(request):
    """Right and wrong of a baseline, of 20 rows as good as it, and of one that is better."""
    repetitions, images, variation = request.param
    random = np.random.default_rng(repetitions)
    log_odds = [log_odds_for(LOW, variation)] * (1 + ROWS) + [log_odds_for(HIGH, variation)]
    return [simulate(log_odds, repetitions, images, variation, random) for _ in range(SETS)]


def holds(interval, truth):
    return interval.low <= truth <= interval.high


def difference(correct, one, other):
    return correct[one].astype(float) - correct[other]


def test_intervals_of_an_accuracy_hold_it(sets):
    for interval in (accuracy_interval, lambda correct: crossed_interval(correct.astype(float))):
        assert 0.92 <= np.mean([holds(interval(correct[0]), LOW) for correct in sets]) <= 0.98


def test_intervals_of_a_difference_hold_it(sets):
    alike = [holds(crossed_interval(difference(correct, 1, 0)), 0) for correct in sets]
    better = [holds(crossed_interval(difference(correct, -1, 0)), HIGH - LOW) for correct in sets]
    assert 0.92 <= np.mean(alike) <= 0.98
    assert 0.92 <= np.mean(better) <= 0.98


def test_a_family_of_rows_that_are_all_alike_seldom_finds_a_difference(sets):
    families = np.array([family(correct) for correct in sets])
    smallest = families.min(axis=1) * families.shape[1] <= 0.05  # Holm's first step decides whether there is any
    for number in range(5):  # statsmodels collects garbage at every call: 500 take 20 seconds
        assert multipletests(families[number], 0.05, method="holm")[0].any() == smallest[number]
    assert smallest.mean() <= 0.07


def family(correct):
    """Each row against the baseline, and a pair of rows."""
    pairs = [(row, 0) for row in range(1, 1 + ROWS)] + [(1, 2)]
    return [crossed_interval(difference(correct, one, other)).p_value for one, other in pairs]


def test_a_row_that_is_better_is_found(sets):
    found = [crossed_interval(difference(correct, -1, 0)).p_value <= 0.05 for correct in sets]
    assert np.mean(found) > 0.6  # an interval that is long enough for anything would hold the truth too
