"""How a personalisation went, look by look."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class LearningCurve:
    """How a personalisation went.

    Args:
        looks: for each look its ``step``, the mean ``train_loss`` since the last one, ``held_out_loss``
            (both None where there is none) and whether the state was ``kept``.
        diverged: where the loss was not finite: class and step, in words; None if it always was.
    """

    looks: list[dict[str, Any]] = field(default_factory=list)
    diverged: str | None = None
