import math

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

from retrieval_vs_diffusion.comparison.intervals import mean_squares
from retrieval_vs_diffusion.comparison.simulation import Variation, expected_accuracy, log_odds_for, simulate

NOTHING = Variation(0.0, 0.0, 0.0, 0.0)


def drawn(log_odds, repetitions, images, variation, seed=0):
    return simulate(log_odds, repetitions, images, variation, np.random.default_rng(seed))


def test_the_variances_add():
    assert Variation(2.0, 1.0, 2.0, 4.0).total == 5  # 4 + 1 + 4 + 16 = 25


def test_without_variation_the_accuracy_is_the_sigmoid():
    assert expected_accuracy(math.log(3), NOTHING) == pytest.approx(0.75)  # 3 / (1 + 3)


@pytest.mark.parametrize(("log_odds", "image"), [(0.0, 2.0), (1.5, 0.5), (-2.0, 2.2), (3.0, 4.5)])
def test_the_expected_accuracy_is_the_integral(log_odds, image):
    by_steps, _ = integrate.quad(lambda x: expit(log_odds + image * x) * stats.norm.pdf(x), -12, 12, limit=200)
    assert expected_accuracy(log_odds, Variation(image, 0.0, 0.0, 0.0)) == pytest.approx(by_steps, abs=1e-6)


@pytest.mark.parametrize("accuracy", [0.03, 0.5, 0.74, 0.97])
def test_log_odds_are_found_again(accuracy):
    assert expected_accuracy(log_odds_for(accuracy, Variation()), Variation()) == pytest.approx(accuracy, abs=1e-9)


@pytest.mark.parametrize("accuracy", [0.0, 1.0, 82.0])
def test_an_accuracy_that_no_log_odds_give_is_refused(accuracy):
    with pytest.raises(ValueError, match=str(accuracy)):
        log_odds_for(accuracy, Variation())


def test_it_has_a_table_a_strategy_and_depends_on_its_seed_alone():
    one = drawn([0.0, 1.0], 3, 7, Variation())
    assert (one.shape, one.dtype) == ((2, 3, 7), bool)
    assert (one == drawn([0.0, 1.0], 3, 7, Variation())).all()
    assert (one != drawn([0.0, 1.0], 3, 7, Variation(), seed=1)).any()


def test_the_accuracies_drawn_are_the_expected_ones():
    accuracies = (0.74, 0.82)
    log_odds = [log_odds_for(each, Variation()) for each in accuracies]
    means = np.array([drawn(log_odds, 5, 497, Variation(), seed).mean(axis=(1, 2)) for seed in range(300)])
    # a set's mean varies by about 0.02, that of 300 by 0.001
    assert means.mean(axis=0) == pytest.approx(accuracies, abs=0.004)


def test_the_default_varies_as_the_base_world_does():
    log_odds = [log_odds_for(each, Variation()) for each in (0.74, 0.82, 0.82)]
    accuracies = np.array([drawn(log_odds, 5, 497, Variation(), seed).mean(axis=2) for seed in range(300)])
    deviation = np.sqrt(accuracies.var(axis=2, ddof=1).mean(axis=0))
    assert 0.02 < deviation[0] < 0.03  # docs/results.md, 2026-11-23: a standard error of 1.3 over 5 is 2.9 points
    assert 0.01 < deviation[1] < 0.03  # 0.5 to 1.0: 1.1 to 2.2
    paired = accuracies[:, 2] - accuracies[:, 1]
    assert math.sqrt(paired.var(axis=1, ddof=1).mean() / 5) == pytest.approx(0.01, abs=0.002)


@pytest.mark.parametrize(
    ("variation", "of_rows", "of_columns", "of_difference"),
    [
        (Variation(2.0, 0.0, 0.0, 0.0), False, True, False),  # images: alike for both strategies
        (Variation(0.0, 1.0, 0.0, 0.0), True, False, False),  # repetitions: alike for both
        (Variation(0.0, 0.0, 1.0, 0.0), True, False, True),  # a strategy's repetitions: in the difference too
    ],
)
def test_each_term_shows_where_it_belongs(variation, of_rows, of_columns, of_difference):
    first, second = drawn([0.0, 0.0], 20, 400, variation).astype(float)
    rows, columns, rest = mean_squares(first)
    assert (rows > 3 * rest) == of_rows
    assert (columns > 2 * rest) == of_columns
    rows, columns, rest = mean_squares(first - second)
    assert (rows > 3 * rest) == of_difference
    assert columns < 2 * rest


def test_an_image_that_suits_one_strategy_shows_in_the_difference():
    first, second = drawn([0.0, 0.0], 20, 400, Variation(0.0, 0.0, 0.0, 2.0)).astype(float)
    _, columns, rest = mean_squares(first - second)
    assert columns > 2 * rest
