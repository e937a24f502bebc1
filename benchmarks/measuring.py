"""Two ways to do the same work, timed in turn, and what came of it."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

# Does the work once. Returns the seconds that it took where it knows them better than a clock around the call, as a
# peer in another process does; None else.
Side = Callable[[], float | None]


@dataclass(frozen=True)
class Measured:
    """Seconds of both sides, repeat by repeat.

    Args:
        ours: seconds of each repeat.
        theirs: seconds of the peer in the same repeat.
        same_result: whether both sides did the same work with the same result.
        checked: in words, what was compared and how far it differs.
        work: in words, what was done.
        decides_alike: False where the peer is made to decide otherwise: that its result is another is told, and no error.
        is_share: the ratio is ours as a share of theirs, e.g. of a total, and not how many times faster ours is.
    """

    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    same_result: bool = False
    checked: str = "not compared"
    work: str = ""
    decides_alike: bool = True
    is_share: bool = False

    @property
    def ratios(self) -> tuple[float, ...]:
        """Of each repeat: how many times faster ours is than the peer, or the share of it that ours is."""
        pairs = list(zip(self.ours, self.theirs, strict=True))
        return tuple(ours / theirs if self.is_share else theirs / ours for ours, theirs in pairs)

    @property
    def ratio(self) -> float:
        """The median over the repeats."""
        return statistics.median(self.ratios)

    def with_check(self, same_result: bool, checked: str) -> Measured:
        """The same times, with what the comparison of the results said."""
        return replace(self, same_result=bool(same_result), checked=checked)


def interleaved(ours: Side, theirs: Side, repeats: int = 5, warm_up: bool = True, work: str = "") -> Measured:
    """Time both sides in turn; who begins alternates, so that a machine that slows down slows both.

    Args:
        ours: our side.
        theirs: the peer's.
        repeats: pairs of timed calls.
        warm_up: call each once before, untimed; not where a first time is part of the work.
        work: in words, what is done.
    """
    if warm_up:
        theirs()
        ours()
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for repeat in range(repeats):
        sides = [("ours", ours), ("theirs", theirs)]
        for name, side in sides if repeat % 2 == 0 else reversed(sides):
            gc.collect()
            started = time.perf_counter()
            told = side()
            seconds[name].append(time.perf_counter() - started if told is None else told)
    return Measured(tuple(seconds["ours"]), tuple(seconds["theirs"]), work=work)
