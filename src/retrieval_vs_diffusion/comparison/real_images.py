"""What a row is worth in real images: where it stands on the curve of accuracy against real images a class."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from retrieval_vs_diffusion.comparison.intervals import crossed_interval
from retrieval_vs_diffusion.comparison.outcomes import Outcomes, paired

_STEPS = 40  # points between two sizes of the curve at which a row is compared with it
_ROUNDING = 1e-9  # by how much sums of equal accuracies may differ


@dataclass(frozen=True)
class RealImages:
    """Real images a class, beside the originals, that a row is worth.

    Args:
        more: best estimate; infinite above the curve, minus infinite below it.
        low: lower end of the 95 % interval; minus infinite where it lies below the curve.
        high: upper end; infinite where it lies above the curve.
        least: fewest that the curve can tell, negative where it begins under the originals.
        most: most that it can tell: all that is held back.
    """

    more: float
    low: float
    high: float
    least: float
    most: float

    @property
    def tells_nothing(self) -> bool:
        """Whether the interval holds every size of the curve, so that the estimate is one as good as any."""
        return self.low == -math.inf and self.high == math.inf

    def in_words(self) -> str:
        """``9 (7 to 12)``; outside of the curve ``more than 35 (30 or more)`` or ``below the curve (up to 3)``."""
        if self.tells_nothing:
            return "cannot be told"
        if self.more == -math.inf:
            uncertain = self.high > -math.inf  # False for NaN too
            return "below the curve" + (f" (up to {self._end(self.high)})" if uncertain else "")
        if self.more == math.inf:
            uncertain = self.low < math.inf
            return f"more than {self.most:.0f}" + (f" ({self._end(self.low)} or more)" if uncertain else "")
        if math.isnan(self.low):
            return self._end(self.more)
        return f"{self._end(self.more)} ({self._end(self.low)} to {self._end(self.high)})"

    def _end(self, value: float) -> str:
        if math.isinf(value):
            return f"over {self.most:.0f}" if value > 0 else f"under {self.least:.0f}"
        return str(round(value))  # an integer knows no minus zero


def worth_in_real_images(row: Outcomes, curve: Sequence[tuple[float, Outcomes]], originals: float) -> RealImages:
    """Where a row stands on the size curve.

    The curve's mean accuracies are made to rise (isotonic regression) and joined by straight lines; the
    estimate is the fewest real images that reach the row's accuracy. Its interval holds every size at which
    the row's 95 % interval of paired differences from the curve, on the same repetitions and test images,
    holds zero: it knows of the noise in both. It also holds the sizes between them, and is open at an end of
    the curve beyond which the row may lie.

    Args:
        row: the strategy.
        curve: images a class and outcomes of the originals alone at that size, at least two sizes.
        originals: images a class that the row itself starts from.

    Raises:
        ValueError: with fewer than two sizes.
    """
    from sklearn.isotonic import IsotonicRegression

    if len(curve) < 2:
        raise ValueError(f"a curve needs two sizes, found {len(curve)}")
    points = sorted(curve, key=lambda point: point[0])
    sizes = np.array([size for size, _ in points], dtype=float)
    differences = np.stack([paired(row, outcomes) for _, outcomes in points])  # [sizes, r, n]
    below_row = -differences.mean(axis=(1, 2))  # of the curve, from the row
    rising = IsotonicRegression().fit_transform(sizes, below_row)
    grid = np.unique(np.concatenate([np.linspace(a, b, _STEPS + 1) for a, b in itertools.pairwise(sizes)]))
    reached = np.interp(grid, sizes, rising) >= -_ROUNDING
    more = float(grid[reached.argmax()]) if reached.any() else math.inf
    if rising[0] > _ROUNDING:
        more = -math.inf
    low, high = _accepted(grid, sizes, differences)
    ends = (value - originals for value in (more, low, high, sizes[0], sizes[-1]))
    return RealImages(*(float(value) for value in ends))


def _accepted(
    grid: Float[np.ndarray, " g"], sizes: Float[np.ndarray, " s"], differences: Float[np.ndarray, "s r n"]
) -> tuple[float, float]:
    """Up to which size the row is clearly above the curve, and from which on it is clearly below.

    Returns:
        Between these two lies every size that the row cannot be told from. Minus infinite and infinite where the
        curve begins, or ends, without such a size; both infinite, or both minus infinite, where all are such sizes.
    """
    if differences.shape[1] < 2:
        return math.nan, math.nan
    above: list[bool] = []
    below: list[bool] = []
    for size in grid:
        upper = int(np.clip(np.searchsorted(sizes, size), 1, len(sizes) - 1))
        share = (size - sizes[upper - 1]) / (sizes[upper] - sizes[upper - 1])
        interval = crossed_interval((1 - share) * differences[upper - 1] + share * differences[upper])
        above.append(interval.low > 0)  # False for NaN: what cannot be told is not left out
        below.append(interval.high < 0)
    # From the ends inwards: where the curve is flat, noise has a row clearly above one size and not an earlier one.
    before, after = [-math.inf, *grid[:-1]], [*grid[1:], math.inf]
    low = next((size for size, clearly in zip(before, above, strict=True) if not clearly), math.inf)
    high = next((size for size, clearly in zip(after[::-1], below[::-1], strict=True) if not clearly), -math.inf)
    return low, high
