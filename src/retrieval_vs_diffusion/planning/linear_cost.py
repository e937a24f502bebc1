"""What some work costs by its length: a part that does not depend on it, and a part for each unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_FIRST, _SECOND = 1, 3  # the shortest lengths that tell the two parts apart


@dataclass(frozen=True)
class LinearCost:
    """Seconds that do not depend on the length, and seconds for each unit of it.

    Example:
        >>> LinearCost(2.0, 0.5)(10)
        7.0
    """

    fixed: float
    per_unit: float

    def __call__(self, length: float) -> float:
        """Seconds for a length."""
        return self.fixed + length * self.per_unit


def measure_linear(run: Callable[[int], float], longest: int, at_least: float = 1.0) -> LinearCost:
    """Run something at two lengths and tell fixed costs from those of each unit.

    The first run is not counted: it imports, compiles and allocates. The second length is tripled until the
    difference is ``at_least`` seconds, so that it is more than noise.

    Args:
        run: does so many units and says what they took, in seconds.
        longest: length of the real work; the pilot is never longer.
        at_least: seconds that the two lengths should differ by.
    """
    run(_FIRST)
    short = run(_FIRST)
    if longest <= _FIRST:
        return LinearCost(short, 0.0)
    length = min(_SECOND, longest)
    long = run(length)
    while long - short < at_least and length < longest:
        length = min(3 * length, longest)
        long = run(length)
    per_unit = max(0.0, (long - short) / (length - _FIRST))
    return LinearCost(max(0.0, short - _FIRST * per_unit), per_unit)
