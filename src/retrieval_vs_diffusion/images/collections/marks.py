"""What a collection says of a picture that nobody should use: that it is unsafe, or that it bears a watermark."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_UNSAFE = ("punsafe", "nsfw")  # img2dataset's and LAION-400M's; however capitalised
_WATERMARK = ("pwatermark",)
_IN_WORDS = {"nsfw"}  # of whose words one is known, and the others (UNLIKELY, UNSURE) say nothing
_WORDS = {"nsfw": 1.0, "true": 1.0, "false": 0.0}
_NOTHING = {"", "none", "null", "na", "n/a", "nan", "<na>", "-"}  # as tables write it that a cell is empty


@dataclass(frozen=True)
class Marks:
    """Names of columns, or keys, that say it; of several the one that says the most counts."""

    unsafe: tuple[str, ...] = ()
    watermark: tuple[str, ...] = ()

    @classmethod
    def found_in(cls, names: Iterable[str]) -> Marks:
        """Those among the names of all columns or keys."""
        names = list(names)
        return cls(*(tuple(name for name in names if name.lower() in known) for known in (_UNSAFE, _WATERMARK)))

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return self.unsafe + self.watermark

    def probabilities(
        self, row: Mapping[str, Any], unreadable: Callable[[str, Any], None]
    ) -> tuple[float | None, float | None]:
        """That the picture is unsafe, and that it bears a watermark; None where nothing says it.

        Args:
            row: values by name.
            unreadable: is told the name and the value of what is no probability: passed over in silence, it would
                let the picture through.
        """
        return _highest(self.unsafe, row, unreadable), _highest(self.watermark, row, unreadable)


def _highest(names: tuple[str, ...], row: Mapping[str, Any], unreadable: Callable[[str, Any], None]) -> float | None:
    found: list[float] = []
    for name in names:
        try:
            number = probability(row[name])
        except ValueError:
            if name.lower() not in _IN_WORDS:
                unreadable(name, row[name])
            continue
        if number is not None:
            found.append(number)
    return max(found, default=None)


def probability(value: Any) -> float | None:
    """A number, a text of one, a flag, or the word NSFW as a probability; None for nothing, and for not a number.

    Raises:
        ValueError: if it is anything else.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, str):
        word = value.strip().lower()
        value = None if word in _NOTHING else _WORDS[word] if word in _WORDS else float(word)
    if value is None:
        return None
    if not isinstance(value, int | float):
        raise ValueError(f"a {type(value).__name__} is no probability")
    try:
        number = float(value)
    except OverflowError:  # JSON's whole numbers have no end
        number = math.inf if value > 0 else -math.inf
    return None if math.isnan(number) else number
