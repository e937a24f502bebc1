"""A matrix that grows by rows without being copied for each of them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


class GrowingRows:
    """Rows of single precision; the memory doubles when it is full.

    Args:
        width: numbers in a row.
    """

    def __init__(self, width: int) -> None:
        self._memory = np.zeros((16, width), np.float32)
        self._count = 0

    @property
    def rows(self) -> Float[np.ndarray, "n width"]:
        """What was added, in order; a view."""
        return self._memory[: self._count]

    def add(self, rows: Float[np.ndarray, "m width"]) -> None:
        """Put these rows behind the others."""
        needed = self._count + len(rows)
        if needed > len(self._memory):
            larger = np.zeros((max(needed, 2 * len(self._memory)), self._memory.shape[1]), np.float32)
            larger[: self._count] = self.rows
            self._memory = larger
        self._memory[self._count : needed] = rows
        self._count = needed
