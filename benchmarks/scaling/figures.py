"""Figures that know whether something that was only assumed went into them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

ASSUMED = " °"  # behind a figure that rests on something that was assumed
_KINDS = ("measured", "counted", "assumed")


@dataclass(frozen=True)
class Figure:
    """A number and whether it rests on an assumption; what is reckoned with it does so too.

    Example:
        >>> str(Figure(3.0, False) * Figure(2.0, True))
        '6 °'
    """

    value: float
    assumed: bool = False

    def __mul__(self, other: Figure | float) -> Figure:
        """The product."""
        return Figure(self.value * _value(other), self.assumed or _assumed(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Figure | float) -> Figure:
        """The quotient."""
        return Figure(self.value / _value(other), self.assumed or _assumed(other))

    def __add__(self, other: Figure | float) -> Figure:
        """The sum."""
        return Figure(self.value + _value(other), self.assumed or _assumed(other))

    __radd__ = __add__

    def rounded_up(self) -> Figure:
        """As so many whole things, one at least."""
        return Figure(max(1, math.ceil(self.value)), self.assumed)

    def __str__(self) -> str:
        """Two digits, and the mark."""
        return two_digits(self.value) + (ASSUMED if self.assumed else "")

    def in_bytes(self) -> str:
        """As MB, GB, TB or PB."""
        for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
            if self.value >= size:
                return f"{two_digits(self.value / size)} {unit}{ASSUMED if self.assumed else ''}"
        return f"{two_digits(self.value / 1e3)} kB{ASSUMED if self.assumed else ''}"


def read_rates(file: Path) -> dict[str, Figure]:
    """The rates of a file, of which each says whether it was measured, counted or assumed.

    Raises:
        ValueError: naming a rate that does not say, or a measured one without its command and source.
    """
    rates = {}
    for name, rate in json.loads(file.read_text()).items():
        if rate["kind"] not in _KINDS or not (rate.get("command") or rate.get("source")):
            raise ValueError(f"{file}: {name} must be one of {', '.join(_KINDS)}, with its command or source")
        rates[name] = Figure(rate["value"], rate["kind"] == "assumed")
    return rates


def two_digits(value: float) -> str:
    """E.g. 0.012, 3.4, 56, 780, 12,000."""
    if not value:
        return "0"
    digits = 1 - math.floor(math.log10(abs(value)))
    shown = round(value, digits)
    return f"{shown:,.0f}" if abs(shown) >= 10 else f"{shown:.{max(0, digits)}f}".rstrip("0").rstrip(".")


def _value(figure: Figure | float) -> float:
    return figure.value if isinstance(figure, Figure) else figure


def _assumed(figure: Figure | float) -> bool:
    return isinstance(figure, Figure) and figure.assumed
