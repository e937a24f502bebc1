import math

import numpy as np
import pandas as pd
import pytest

from retrieval_vs_diffusion.comparison import verdicts
from retrieval_vs_diffusion.comparison.intervals import crossed_interval
from retrieval_vs_diffusion.comparison.outcomes import paired
from retrieval_vs_diffusion.comparison.simulation import Variation, log_odds_for, simulate
from retrieval_vs_diffusion.comparison.verdicts import compare_pairs, declared_family
from tests.comparison.answers import outcomes

BEST = {"retrieve": "text", "generate": "prompts"}


def simulated(*accuracies: float, repetitions: int = 5, images: int = 300, seed: int = 0):
    """Outcomes of rows whose true accuracies are these."""
    odds = [log_odds_for(accuracy, Variation()) for accuracy in accuracies]
    rows = simulate(odds, repetitions, images, Variation(), np.random.default_rng(seed))
    return [outcomes(correct) for correct in rows]


def test_the_family_is_each_row_against_the_baseline_and_the_best_of_each_arm_against_each_other():
    family = declared_family(["prompts", "original_only", "text"], BEST)
    assert family == [("prompts", "original_only"), ("text", "original_only"), ("text", "prompts")]


@pytest.mark.parametrize("arm", ["retrieve", "generate"])
def test_without_a_row_of_an_arm_the_arms_are_not_compared(arm):
    assert declared_family(["original_only", "text"], {**BEST, arm: None}) == [("text", "original_only")]


def test_without_a_baseline_the_arms_are_compared_all_the_same():
    assert declared_family(["text", "prompts"], BEST) == [("text", "prompts")]
    assert declared_family([], {"retrieve": None, "generate": None}) == []


def test_a_comparison_is_of_the_same_repetitions_and_images():
    better, baseline = simulated(0.8, 0.7)
    table = compare_pairs([("a", "original_only")], {"a": better, "original_only": baseline})
    assert table.columns.tolist() == list(verdicts.COLUMNS)
    (row,) = table.to_dict("records")
    interval = crossed_interval(paired(better, baseline))
    assert row["difference"] == pytest.approx(better.correct.mean() - baseline.correct.mean())
    assert (row["low"], row["high"], row["p_value"]) == (interval.low, interval.high, interval.p_value)
    assert row["repetitions"] == 5
    assert row["p_adjusted"] == row["p_value"]  # a family of one


def test_the_verdict_is_on_the_first_of_the_two():
    good, plain, bad, same = simulated(0.9, 0.75, 0.6, 0.75)
    rows = {"good": good, "original_only": plain, "bad": bad, "same": same}
    table = compare_pairs([(name, "original_only") for name in ("good", "bad", "same")], rows)
    assert table["verdict"].tolist() == ["better", "worse", "too close to call"]
    # The intervals agree, wide as they are for each comparison alone.
    assert table["low"][0] > 0 > table["high"][1]
    assert table["low"][2] < 0 < table["high"][2]


def test_rows_that_are_right_on_the_same_images_are_too_close_to_call():
    row = outcomes("1101 1011 1111 0111 1110")
    (line,) = compare_pairs([("a", "b")], {"a": row, "b": row}).to_dict("records")
    assert (line["difference"], line["p_value"], line["verdict"]) == (0.0, 1.0, "too close to call")


def test_adjusted_p_values_are_holms():
    # 0.01 x 3, then max(0.03, 0.02 x 2), then max(0.04, 0.03 x 1)
    assert verdicts._holm(np.array([0.01, 0.03, 0.02])) == pytest.approx([0.03, 0.04, 0.04])
    # What is not known counts in the family: 0.02 x 2
    assert verdicts._holm(np.array([0.02, math.nan])) == pytest.approx([0.04, 1.0])
    assert len(verdicts._holm(np.array([]))) == 0


@pytest.mark.parametrize(("others", "verdict"), [(0, "better"), (3, "better"), (4, "too close to call")])
def test_a_difference_that_would_do_by_itself_may_not_do_in_a_family(others, verdict):
    # In every repetition 6 of 40 images more are right: mean 0.15, over images a standard error of
    # sqrt(0.15 x 0.85 / 39) = 0.0572, t = 2.62 with 39 degrees of freedom: p = 0.0124, which 4 comparisons bear.
    few, many = (outcomes(" ".join(["1" * right + "0" * (40 - right)] * 5)) for right in (10, 16))
    rows = {"a": many, "original_only": few} | {f"like_the_baseline_{number}": few for number in range(others)}
    table = compare_pairs(declared_family(list(rows), {}), rows)
    assert len(table) == 1 + others
    assert table["p_value"][0] == pytest.approx(0.0124, abs=5e-5)
    assert table["p_adjusted"][0] == pytest.approx((1 + others) * table["p_value"][0])
    assert table["verdict"].tolist() == [verdict, *["too close to call"] * others]


@pytest.mark.parametrize(("repetitions", "verdict"), [(1, "no verdict"), (4, "no verdict"), (5, "better")])
def test_under_five_repetitions_there_are_figures_and_no_verdict(repetitions, verdict):
    better, baseline = simulated(0.95, 0.5, repetitions=repetitions)
    (line,) = compare_pairs([("a", "b")], {"a": better, "b": baseline}).to_dict("records")
    assert line["verdict"] == verdict
    assert line["difference"] > 0.3
    assert math.isnan(line["p_value"]) == (repetitions == 1)


def test_repetitions_that_only_one_of_the_two_has_do_not_count():
    better, baseline = simulated(0.95, 0.5)
    fewer = outcomes(baseline.correct[:4])
    assert compare_pairs([("a", "b")], {"a": better, "b": fewer})["verdict"].tolist() == ["no verdict"]


def test_a_difference_that_never_varies_is_no_certainty():
    always, never = outcomes("11 11 11 11 11"), outcomes("00 00 00 00 00")
    (line,) = compare_pairs([("a", "b")], {"a": always, "b": never}).to_dict("records")
    assert (line["difference"], line["verdict"]) == (1.0, "no verdict")


def test_an_empty_family_is_an_empty_table():
    table = compare_pairs([], {})
    assert isinstance(table, pd.DataFrame)
    assert (len(table), table.columns.tolist()) == (0, list(verdicts.COLUMNS))
