"""What a part of the GPU's measurements reports: a row with its speed, its share of the limit, and its checks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from benchmarks import result_files
from benchmarks.measuring import Measured

LIMIT = 790e12  # FLOP/s of one H200 in a bf16 product of 8192 x 8192 matrices: assumed, not measured here


@dataclass(frozen=True)
class Check:
    """A figure beside the bound that it must keep; what is not a number keeps none.

    Args:
        what: the figure is of, in words.
        found: the figure.
        at_least: the bound from below; None where there is none.
        at_most: the bound from above.
    """

    what: str
    found: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the figure keeps its bounds."""
        low, high = self.at_least, self.at_most
        return (
            not math.isnan(self.found) and (low is None or self.found >= low) and (high is None or self.found <= high)
        )

    def __str__(self) -> str:
        bounds = [f"at least {self.at_least:g}"] if self.at_least is not None else []
        bounds += [f"at most {self.at_most:g}"] if self.at_most is not None else []
        return f"{self.what}: {self.found:.5g} ({' and '.join(bounds)})"


@dataclass(frozen=True)
class GpuRow:
    """A stage beside its peer on a GPU.

    Args:
        stage: as the rows of ``make benchmark`` call it.
        peer: what it is measured beside.
        measured: seconds of both sides for one unit, e.g. one image, repeat by repeat.
        unit: what is counted, in the plural.
        flops: floating point operations of one unit; None where they say nothing.
        checks: of our results against float32, and of both sides against each other.
        peak_memory: bytes of the GPU that our side held at most, beyond the weights.
        at_least: the ratio that is asked for; None where none is.
        aim: units a second that are aimed at.
    """

    stage: str
    peer: str
    measured: Measured
    unit: str
    flops: float | None = None
    checks: tuple[Check, ...] = field(default_factory=tuple)
    peak_memory: int = 0
    at_least: float | None = None
    aim: float | None = None

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON can hold it; the fields of a result file are among it."""
        same = self.measured.with_check(all(each.holds for each in self.checks), "; ".join(map(str, self.checks)))
        described = result_files.described(self.stage, self.peer, same)
        flops_a_second = self.flops / described["ours_s"] if self.flops else None
        return {
            **described,
            "unit": self.unit,
            "ours_per_s": 1 / described["ours_s"],
            "theirs_per_s": 1 / described["theirs_s"],
            "flops_per_s": flops_a_second,
            "share_of_limit": flops_a_second / LIMIT if flops_a_second else None,
            "peak_memory": self.peak_memory,
            "at_least": self.at_least,
            "aim": self.aim,
            "checks": [str(each) for each in self.checks],
            "broken_checks": [str(each) for each in self.checks if not each.holds],
        }
