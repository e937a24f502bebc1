"""The exponent with which something grows: ``y = a * size ** exponent``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def fitted(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope of the least-squares line through the logarithms; NaN where a value is not positive."""
    if len(sizes) < 2 or min(values) <= 0:
        return math.nan
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def at_the_end(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope between the two largest sizes, where what does not grow counts least."""
    return fitted(sizes[-2:], values[-2:])
