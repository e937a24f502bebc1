import math

import numpy as np
import pytest

from retrieval_vs_diffusion.comparison.outcomes import Outcomes
from retrieval_vs_diffusion.comparison.real_images import RealImages, worth_in_real_images
from retrieval_vs_diffusion.comparison.simulation import Variation, log_odds_for, simulate
from tests.comparison.answers import outcomes

SIZES = (5, 10, 20, 40)


def known(*right: int, images: int = 20, repetitions: int = 5) -> list[Outcomes]:
    """Rows that in every repetition are right on the first so many of the test images."""
    return [outcomes(" ".join(["1" * each + "0" * (images - each)] * repetitions)) for each in right]


def worth(right: int, curve: tuple[int, ...] = (8, 10, 12, 14), originals: int = 10) -> RealImages:
    """What a row is worth on a curve that is right on so many of 20 images at 5, 10, 20 and 40 images a class."""
    row, *points = known(right, *curve)
    return worth_in_real_images(row, list(zip(SIZES, points, strict=True)), originals)


def test_a_row_as_good_as_a_point_of_the_curve_is_worth_that_many():
    assert worth(12).more == 10  # 20 real images, of which 10 are the originals
    assert worth(10).more == 0  # the originals alone
    assert worth(8).more == -5  # the curve begins at 5
    assert worth(14).more == 30  # at its end


def test_between_two_points_it_stands_on_the_line_between_them():
    assert worth(11).more == 5  # half way from 10 right to 12 right, from 10 images to 20
    assert worth(13).more == 20  # half way from 20 images to 40
    assert worth(11, curve=(8, 10, 14, 14)).more == 2.5  # a quarter of the way from 10 right to 14 right


def test_the_points_may_come_in_any_order():
    row, *points = known(11, 8, 10, 12, 14)
    backwards = list(zip(SIZES, points, strict=True))[::-1]
    assert worth_in_real_images(row, backwards, 10).more == 5


def test_outside_of_the_curve_it_says_so():
    above, below = worth(15), worth(7)
    assert (above.more, below.more) == (math.inf, -math.inf)
    assert (above.least, above.most) == (-5, 30)
    assert above.in_words().startswith("more than 30")
    assert below.in_words().startswith("below the curve")


def test_a_curve_that_dips_is_made_to_rise():
    # 12 and 10 right become 11 and 11: of sizes that are as good the fewest counts
    assert worth(11, curve=(8, 12, 10, 14)).more == 0
    # 9 of 20 right: a third of the way from 8 to 11, from 5 images to 10, in steps of 1/40 of it: 14/40 x 5
    assert worth(9, curve=(8, 12, 10, 14)).more == pytest.approx(5 + 14 / 40 * 5 - 10)


@pytest.mark.parametrize(("right", "curve"), [(6, (8, 7, 4, 5)), (5, (8, 4, 4, 4))])
def test_sums_that_differ_by_rounding_are_equal(right, curve):
    # All points pool to their mean, (8 + 7 + 4 + 5) / 4 and (8 + 4 + 4 + 4) / 4: the row's, give or take 1e-17.
    assert worth(right, curve).more == -5  # neither below the curve nor above it


def simulated(*accuracies: float, repetitions: int = 5, images: int = 400, seed: int = 0) -> list[Outcomes]:
    odds = [log_odds_for(accuracy, Variation()) for accuracy in accuracies]
    rows = simulate(odds, repetitions, images, Variation(), np.random.default_rng(seed))
    return [outcomes(correct) for correct in rows]


def simulated_worth(accuracy: float, seed: int = 0, **how) -> RealImages:
    row, *points = simulated(accuracy, 0.5, 0.6, 0.7, 0.8, seed=seed, **how)
    return worth_in_real_images(row, list(zip(SIZES, points, strict=True)), 10)


def test_the_interval_holds_what_a_row_is_truly_worth_about_as_often_as_it_says():
    # 0.65 lies half way between the curve at 10 and at 20: 15 images, 5 more than the originals
    found = [simulated_worth(0.65, seed) for seed in range(20)]
    assert sum(each.low <= 5 <= each.high for each in found) >= 17
    assert np.mean([each.more for each in found]) == pytest.approx(5, abs=2)
    assert all(each.low <= each.more <= each.high for each in found)


def test_more_test_images_make_the_interval_shorter():
    few, many = (simulated_worth(0.65, images=images) for images in (100, 1600))
    assert many.high - many.low < 0.7 * (few.high - few.low)


def test_an_interval_is_open_where_the_row_cannot_be_told_from_the_curves_end():
    near_the_end = simulated_worth(0.79)
    assert math.isfinite(near_the_end.low)
    assert near_the_end.high == math.inf
    near_the_start = simulated_worth(0.51)
    assert near_the_start.low == -math.inf
    assert math.isfinite(near_the_start.high)


def test_a_row_that_is_clearly_outside_has_an_interval_outside():
    above, below = simulated_worth(0.95), simulated_worth(0.2)
    assert (above.more, above.low, above.high) == (math.inf,) * 3
    assert (below.more, below.low, below.high) == (-math.inf,) * 3
    assert (above.in_words(), below.in_words()) == ("more than 30", "below the curve")


# Of 20 images, with all repetitions alike, a row is told from a point when 4 or more differ: a mean of 4/20, a standard
# error of sqrt(0.2 x 0.8 / 19) = 0.092, Student's t of 19 degrees of freedom 2.09: 0.2 -+ 0.192. Of 3: 0.15 -+ 0.171.
# Times a number the mean and its error keep their ratio: next to a point as good as the row, 4 still tell a step away.


def interval(right: int, curve: tuple[int, ...]) -> tuple[float, float]:
    """What is known of a row's worth; sizes are told apart in 40 steps between two points, 5 / 40 = 0.125 and so on."""
    found = worth(right, curve)
    assert found.low <= found.more <= found.high
    return found.low, found.high


def test_a_later_dip_does_not_leave_out_an_earlier_size_that_is_as_good():
    # Above by 4, as good, above by 4 again, below by 1: as good at 10 images, 0 more; clearly above 5 / 40 before.
    assert interval(12, curve=(8, 12, 8, 13)) == (-0.125, math.inf)


def test_an_earlier_bump_does_not_leave_out_a_later_size_that_is_as_good():
    # Above by 4, below by 4, as good, below by 4: as good at 20 images, 10 more, and clearly below 20 / 40 = 0.5 later.
    low, high = interval(12, curve=(8, 16, 12, 16))
    assert -5 < low < 0  # on the way from 8 to 16 right
    assert high == 10.5


def test_a_row_clearly_above_the_curves_end_may_be_worth_more_than_all_of_it():
    # Above by 5, as good, as good, above by 4. Made to rise, the curve ends at (12 + 12 + 8) / 3 = 10.7, under 12.
    assert interval(12, curve=(7, 12, 12, 8)) == (-0.125, math.inf)
    assert worth(12, curve=(7, 12, 12, 8)).in_words() == "more than 30 (0 or more)"


def test_a_row_clearly_below_the_curves_start_may_be_worth_less_than_all_of_it():
    # Below by 4, as good, as good, below by 5. Made to rise, the curve begins at (12 + 8 + 8) / 3 = 9.3, over 8.
    assert interval(8, curve=(12, 8, 8, 13)) == (-math.inf, 10.5)
    assert worth(8, curve=(12, 8, 8, 13)).more == -math.inf


def test_a_row_that_can_be_told_from_no_size_may_be_worth_anything():
    assert interval(10, curve=(8, 9, 10, 11)) == (-math.inf, math.inf)  # above by 2 at most, below by 1
    assert worth(10, curve=(8, 9, 10, 11)).in_words() == "cannot be told"


def test_a_row_that_is_told_from_every_size_on_one_side_lies_outside():
    assert interval(18, curve=(8, 10, 12, 14)) == (math.inf, math.inf)  # above by 4 at the least
    assert interval(4, curve=(8, 10, 12, 14)) == (-math.inf, -math.inf)  # below by 4 at the least


def test_where_no_size_is_as_good_the_interval_is_the_step_between_above_and_below():
    # 20 of 1,600 right, 1.25 %, with a standard error of about sqrt(0.0125 / 1600) = 0.28 points. The curve goes from
    # none right to all in 40 steps of 2.5: the row is 1.25 points above the first size and 1.25 below the next.
    row = outcomes(" ".join("0" * number + "1" + "0" * (79 - number) for number in range(20)))
    none, every = (outcomes(" ".join([bit * 80] * 20)) for bit in "01")
    found = worth_in_real_images(row, [(5, none), (10, every)], 10)
    assert (found.low, found.more, found.high) == (-5, -4.875, -4.875)


def test_one_repetition_has_no_interval():
    found = simulated_worth(0.65, repetitions=1)
    assert math.isfinite(found.more)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_one_size_is_no_curve():
    row, point = known(8, 9)
    with pytest.raises(ValueError, match="a curve needs two sizes, found 1"):
        worth_in_real_images(row, [(10, point)], 10)


INFINITE, UNKNOWN = math.inf, math.nan


@pytest.mark.parametrize(
    ("more", "low", "high", "words"),
    [
        (9.2, 6.7, 12.1, "9 (7 to 12)"),
        (9.2, -6.0, INFINITE, "9 (-6 to over 35)"),
        (9.2, -INFINITE, INFINITE, "cannot be told"),
        (9.2, UNKNOWN, UNKNOWN, "9"),
        (-0.3, -3.0, 0.4, "0 (-3 to 0)"),  # no minus zero
        (INFINITE, 30.4, INFINITE, "more than 35 (30 or more)"),
        (INFINITE, INFINITE, INFINITE, "more than 35"),
        (INFINITE, -INFINITE, INFINITE, "cannot be told"),  # nothing is certain
        (INFINITE, UNKNOWN, UNKNOWN, "more than 35"),
        (-INFINITE, -INFINITE, 3.4, "below the curve (up to 3)"),
        (-INFINITE, -INFINITE, INFINITE, "cannot be told"),
        (-INFINITE, -INFINITE, -INFINITE, "below the curve"),
        (-INFINITE, UNKNOWN, UNKNOWN, "below the curve"),
        (35.0, INFINITE, INFINITE, "35 (over 35 to over 35)"),
    ],
)
def test_in_words_it_says_what_is_known(more, low, high, words):
    assert RealImages(more, low, high, least=-5, most=35).in_words() == words
