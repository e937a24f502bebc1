import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from retrieval_vs_diffusion.comparison.intervals import (
    Interval,
    accuracy_interval,
    bootstrap_interval,
    crossed_interval,
    mean_squares,
    satterthwaite,
)

# mean 3; row means 2 and 4; column means 1.5, 2.5, 5
# rows: 3 (1 + 1) / 1 = 6; columns: 2 (2.25 + 0.25 + 4) / 2 = 6.5
# rest: 1 - 2 - 1.5 + 3 = 0.5, 0.5, -1 and their opposites: 2 (0.25 + 0.25 + 1) / (1 * 2) = 1.5
TABLE = np.array([[1.0, 2.0, 3.0], [2.0, 3.0, 7.0]])


def bits(text: str) -> np.ndarray:
    return np.array([[float(bit) for bit in row] for row in text.split()])


def test_mean_squares_by_hand():
    assert mean_squares(TABLE) == pytest.approx((6, 6.5, 1.5))


def test_mean_squares_are_those_of_an_analysis_of_variance():
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    values = np.random.default_rng(0).normal(size=(4, 9))
    row, column = np.indices(values.shape)
    data = pd.DataFrame({"value": values.ravel(), "row": row.ravel(), "column": column.ravel()})
    of = anova_lm(ols("value ~ C(row) + C(column)", data).fit())["mean_sq"]
    assert mean_squares(values) == pytest.approx((of["C(row)"], of["C(column)"], of["Residual"]))


def test_the_crossed_interval_by_hand():
    interval = crossed_interval(TABLE)
    error = math.sqrt((6 + 6.5 - 1.5) / 6)
    degrees = 11**2 / (6**2 / 1 + 6.5**2 / 2 + 1.5**2 / 2)  # 121 / 58.25 = 2.077
    assert (interval.estimate, interval.standard_error) == pytest.approx((3, error))
    assert interval.degrees_of_freedom == pytest.approx(degrees)
    assert (interval.low, interval.high) == pytest.approx(stats.t.interval(0.95, degrees, 3, error))
    assert interval.p_value == pytest.approx(2 * stats.t.sf(3 / error, degrees))


@pytest.mark.parametrize("axis", [0, 1])
def test_where_only_one_side_varies_it_is_the_plain_t_interval_over_that_side(axis):
    means = np.random.default_rng(1).normal(0.3, 1, size=6)
    values = np.repeat(np.expand_dims(means, 1 - axis), 6, axis=1 - axis)
    plain, interval = stats.ttest_1samp(means, 0), crossed_interval(values)
    low, high = plain.confidence_interval(0.95)
    assert (interval.low, interval.high, interval.p_value) == pytest.approx((low, high, plain.pvalue))
    assert interval.degrees_of_freedom == pytest.approx(5)


def test_images_that_differ_less_than_chance_are_no_less_than_no_effect():
    values = bits("110000 001110 000011")  # rows 2, 3, 2 of six; columns 1, 1, 1, 1, 2, 1 of three
    of_rows, of_columns, of_rest = mean_squares(values)
    assert max(of_rows, of_columns) < of_rest / 4
    interval, plain = crossed_interval(values), stats.ttest_1samp(values.mean(axis=1), 0)
    assert interval.standard_error == pytest.approx(
        values.mean(axis=1).std(ddof=1) / math.sqrt(3)
    )  # that of rows alone
    # in the degrees of freedom all three count alike: 1 / (1/2 + 1/5 + 1/10)
    assert interval.degrees_of_freedom == pytest.approx(satterthwaite(1, 1, 1, 3, 6)) == pytest.approx(1.25)
    assert interval.p_value > plain.pvalue


def test_rows_of_equal_means_are_an_accident_and_no_certainty():
    values = bits("110 101 011") - bits("100 100 100")  # 010 001 -111: each row's mean is 1/3
    interval = crossed_interval(values)
    of_rows, of_columns, of_rest = mean_squares(values)
    assert of_rows == pytest.approx(0)
    assert interval.standard_error == pytest.approx(math.sqrt(max(of_columns, of_rest) / 9))
    assert interval.p_value > 0.05


def test_the_degrees_of_freedom_are_never_much_below_those_of_the_repetitions():
    random = np.random.default_rng(2)
    for _ in range(50):
        values = (random.random((5, 100)) < 0.8).astype(float)
        # three equal mean squares: 1 / (1/4 + 1/99 + 1/396) = 3.8
        assert crossed_interval(values).degrees_of_freedom >= 3.8


@pytest.mark.parametrize("interval", [crossed_interval, bootstrap_interval])
def test_one_repetition_or_one_image_says_nothing_of_others(interval):
    for values in (bits("1101"), bits("1 0 1 1")):
        found = interval(values)
        assert found.estimate == 0.75
        assert all(math.isnan(each) for each in (found.low, found.high, found.standard_error, found.p_value))


@pytest.mark.parametrize("interval", [crossed_interval, bootstrap_interval])
def test_values_that_are_all_equal_are_no_evidence(interval):
    same, other = interval(np.zeros((5, 8))), interval(np.ones((5, 8)))
    assert (same.estimate, same.standard_error, same.p_value) == (0, 0, 1)
    assert (other.estimate, other.standard_error) == (1, 0)
    assert all(math.isnan(each) for each in (same.low, same.high, other.low, other.high, other.p_value))


def test_exchanging_the_two_strategies_turns_the_interval_over():
    one, other = crossed_interval(TABLE), crossed_interval(-TABLE)
    assert (other.low, other.high, other.p_value) == pytest.approx((-one.high, -one.low, one.p_value))


def test_less_confidence_makes_a_shorter_interval():
    wide, narrow = crossed_interval(TABLE), crossed_interval(TABLE, confidence=0.5)
    assert wide.low < narrow.low < 3 < narrow.high < wide.high


def test_an_accuracy_without_any_repetition_effect_has_wilsons_interval():
    from statsmodels.stats.proportion import proportion_confint

    answers = np.random.default_rng(3).permutation(np.arange(400) < 380)  # 95 %
    interval = accuracy_interval(np.tile(answers, (5, 1)))
    # the same answers in every repetition: 400 / 399 of the variance p (1 - p) / 400, and t of 399
    low, high = proportion_confint(380, 400, method="wilson")
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=2e-4)
    assert 0.95 - interval.low > interval.high - 0.95  # longer towards a half


def test_an_accuracy_of_one_is_not_certain():
    interval = accuracy_interval(np.ones((5, 100), dtype=bool))
    squared = stats.t.ppf(0.975, 4) ** 2  # 7.71; Wilson's lower bound where all are right is n / (n + squared)
    assert (interval.low, interval.high) == pytest.approx((100 / (100 + squared), 1))
    wrong = accuracy_interval(np.zeros((5, 100), dtype=bool))
    assert (wrong.low, wrong.high) == pytest.approx((0, squared / (100 + squared)))


def test_an_accuracy_of_one_repetition_has_no_interval():
    assert math.isnan(accuracy_interval(np.array([[True, False]])).low)


def test_the_bootstrap_draws_repetitions_and_images_anew():
    # For 2 x 2 a draw takes rows twice, both, or the other twice (1/4, 1/2, 1/4), columns alike: of 1 in one cell
    # the mean is (share of its row) (share of its column), whose second moment is (1/4 + 1/2 / 4)^2 = 9/64
    interval = bootstrap_interval(bits("10 00"), draws=200_000)
    assert interval.estimate == 0.25
    assert interval.standard_error**2 == pytest.approx(9 / 64 - 1 / 16, rel=0.02)
    assert (interval.low, interval.high) == (0, 1)  # 7/16 of draws hold no 1, 1/16 nothing else
    assert interval.p_value == pytest.approx(7 / 8, abs=0.01)  # twice 7/16


def test_the_bootstraps_p_value_counts_the_sample_itself():
    sure = bootstrap_interval(np.ones((5, 20)) - 0.1 * bits("01" * 10), draws=999)
    assert sure.p_value == pytest.approx(2 / 1000)  # no draw is at or below zero
    assert math.isnan(sure.degrees_of_freedom)


def test_the_bootstrap_depends_on_its_seed_alone():
    assert bootstrap_interval(TABLE, seed=1) == bootstrap_interval(TABLE, seed=1) != bootstrap_interval(TABLE, seed=2)


def test_both_agree_where_there_is_much_of_everything():
    random = np.random.default_rng(4)
    values = random.normal(size=(60, 1)) + random.normal(size=400) + random.normal(size=(60, 400))
    one, other = crossed_interval(values), bootstrap_interval(values)
    assert isinstance(one, Interval)
    assert one.standard_error == pytest.approx(other.standard_error, rel=0.05)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.03)
