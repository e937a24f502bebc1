"""Intervals for means over repetitions and test images at once.

Every repetition's classifier predicts the same test images, so its results form a table, repetitions by
images. Another study would draw both anew: the interval has to hold what either does to the mean
(Bouthillier et al. 2021, arXiv:2103.03098, on sources of variance that benchmarks leave out). How often
these do is measured by ``benchmarks/calibrate_intervals.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

_ALIKE = 1e-12  # mean squares smaller than this share of the residual's are rounding


@dataclass(frozen=True)
class Interval:
    """A mean and what is known of it; NaN where that cannot be estimated.

    ``p_value`` is two-sided, for a true mean of zero; ``degrees_of_freedom`` are those of Student's t, NaN
    where none was used.
    """

    estimate: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    p_value: float


def crossed_interval(values: Float[np.ndarray, "r n"], confidence: float = 0.95) -> Interval:
    """Student's t interval for the mean of a two-way table whose rows and columns are both samples.

    With ``values[r, i] = mean + row[r] + column[i] + rest[r, i]``, all independent, the expected mean
    squares are ``n Var(row) + Var(rest)``, ``r Var(column) + Var(rest)`` and ``Var(rest)``, so that ::

        Var(mean) = (MS_rows + max(MS_columns - MS_rest, 0)) / (r n)

    estimates ``Var(row) / r + Var(column) / n + Var(rest) / (r n)``, the columns' negative variances
    truncated at zero. A mean square of few rows is often below ``MS_rest`` by chance. It is not raised to
    it: the variance would be too large (at 5 rows and 100 columns, 96 to 99.9 % of intervals of a difference
    would hold it). But it is no sign of certainty either: in the degrees of freedom (Satterthwaite 1946,
    Biometrics Bulletin 2, 110-114) it counts as ``MS_rest``, without which a family of 21 tests finds
    something in up to 10 % of studies where nothing is. They are thus never much below r - 1. Rows of equal
    means, which whole numbers of right images bring about, count as varying by ``MS_rest``.

    Args:
        values: of r repetitions (rows) for n images (columns), n much larger than r: 0 and 1 for right and
            wrong, or the paired differences of two such tables.
        confidence: share of studies whose interval holds the true mean.

    Returns:
        The interval. One repetition or one image: NaN but for the estimate. Values that are all equal: the
        standard error is 0 and the bounds are NaN, for it is an accident of few images and no certainty;
        the p-value is 1 where the values are 0, and NaN else.
    """
    rows, columns = values.shape
    estimate = float(values.mean())
    if min(rows, columns) < 2:
        return Interval(estimate, *[math.nan] * 5)
    if values.min() == values.max():
        return Interval(estimate, math.nan, math.nan, 0.0, math.nan, 1.0 if estimate == 0 else math.nan)
    of_rows, of_columns, of_rest = mean_squares(values)
    if of_rows <= _ALIKE * of_rest:
        of_rows = of_rest
    of_columns = max(of_columns, of_rest)
    standard_error = math.sqrt((of_rows + of_columns - of_rest) / (rows * columns))
    degrees = satterthwaite(max(of_rows, of_rest), of_columns, of_rest, rows, columns)
    quantile, p_value = student_t(estimate / standard_error, degrees, confidence)
    margin = quantile * standard_error
    return Interval(estimate, estimate - margin, estimate + margin, standard_error, degrees, p_value)


def accuracy_interval(correct: Bool[np.ndarray, "r n"], confidence: float = 0.95) -> Interval:
    """``crossed_interval`` for an accuracy: never outside [0, 1], and longer towards a half.

    Near 1 a symmetric interval is too short (at 97 %, 100 images and 20 repetitions, 91 % hold the truth). This is
    Wilson's (1927, JASA 22, 209-212) with Student's t and the effective number of images
    ``accuracy (1 - accuracy) / standard_error^2``, as surveys with clusters do (Franco et al. 2019,
    Journal of Survey Statistics and Methodology 7, 334-364; after Korn and Graubard 1998).

    Returns:
        The interval; its p-value is ``crossed_interval``'s. All right or all wrong: as many effective
        images as there are, and r - 1 degrees of freedom. One repetition or one image: NaN but for the
        estimate.
    """
    rows, columns = correct.shape
    crossed = crossed_interval(correct.astype(float), confidence)
    if min(rows, columns) < 2:
        return crossed
    accuracy, error = crossed.estimate, crossed.standard_error
    effective = accuracy * (1 - accuracy) / error**2 if error else columns
    degrees = crossed.degrees_of_freedom if error else rows - 1.0
    quantile, _ = student_t(0, degrees, confidence)
    shrunk = quantile**2 / effective
    centre = (accuracy + shrunk / 2) / (1 + shrunk)
    margin = math.sqrt(shrunk * accuracy * (1 - accuracy) + shrunk**2 / 4) / (1 + shrunk)
    low, high = max(centre - margin, 0.0), min(centre + margin, 1.0)
    return Interval(accuracy, low, high, error, degrees, crossed.p_value)


def bootstrap_interval(
    values: Float[np.ndarray, "r n"], confidence: float = 0.95, draws: int = 2000, seed: int = 0
) -> Interval:
    """Percentile interval of the bootstrap that draws repetitions and images anew, independently.

    Owen 2007, "The pigeonhole bootstrap" (Annals of Applied Statistics 1, 386-411); the p-value as in
    Davison and Hinkley 1997, section 4.4: twice the smaller share of draws at or beyond zero, the sample
    itself counted in, so at least 2 / (draws + 1). It needs no distribution, but knows nothing of the
    (r - 1) / r by which a sample of few rows varies too little, nor of Student's t.

    Returns:
        The interval, its standard error the draws' standard deviation. One repetition or one image: NaN
        but for the estimate; values that are all equal: as ``crossed_interval``.
    """
    rows, columns = values.shape
    estimate = float(values.mean())
    if min(rows, columns) < 2 or values.min() == values.max():
        return crossed_interval(values, confidence)
    of_rows, of_columns = _times_drawn(rows, columns, draws, seed)
    means = np.einsum("rd,dr->d", values @ of_columns.T, of_rows) / values.size
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    beyond = min(int((means <= 0).sum()), int((means >= 0).sum()))
    p_value = min(1.0, 2 * (1 + beyond) / (draws + 1))
    return Interval(estimate, float(low), float(high), float(means.std(ddof=1)), math.nan, p_value)


def mean_squares(values: Float[np.ndarray, "r n"]) -> tuple[float, float, float]:
    """Mean squares of rows, columns and what remains, of a two-way table with one value a cell; r, n >= 2."""
    rows, columns = values.shape
    centred = values - values.mean()
    by_row, by_column = centred.mean(axis=1), centred.mean(axis=0)
    rest = (centred - by_row[:, None] - by_column).ravel()
    return (
        float(columns * (by_row @ by_row) / (rows - 1)),
        float(rows * (by_column @ by_column) / (columns - 1)),
        float(rest @ rest / ((rows - 1) * (columns - 1))),
    )


def satterthwaite(of_rows: float, of_columns: float, of_rest: float, rows: int, columns: int) -> float:
    """Degrees of freedom of ``of_rows + of_columns - of_rest``, mean squares that are not all zero."""
    squares = of_rows**2 / (rows - 1) + of_columns**2 / (columns - 1) + of_rest**2 / ((rows - 1) * (columns - 1))
    return (of_rows + of_columns - of_rest) ** 2 / squares


def student_t(ratio: float, degrees: float, confidence: float) -> tuple[float, float]:
    """The quantile for a two-sided interval, and the two-sided p-value of an estimate over its standard error."""
    # The functions beneath scipy.stats.t, a hundred times faster: simulations call this a million times.
    from scipy.special import stdtr, stdtrit

    return float(stdtrit(degrees, (1 + confidence) / 2)), float(2 * stdtr(degrees, -abs(ratio)))


@lru_cache(maxsize=4)  # of a few MB each; the rows of one comparison all have the same shape
def _times_drawn(
    rows: int, columns: int, draws: int, seed: int
) -> tuple[Float[np.ndarray, "d r"], Float[np.ndarray, "d n"]]:
    """How often each draw holds each row and each column."""
    random = np.random.default_rng(seed)
    return (
        random.multinomial(rows, np.full(rows, 1 / rows), size=draws).astype(float),
        random.multinomial(columns, np.full(columns, 1 / columns), size=draws).astype(float),
    )
