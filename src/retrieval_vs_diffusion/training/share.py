"""Which images of a batch are one process's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """Neighbouring images of a batch, of which all processes draw the same.

    Args:
        first: position of the first one.
        number: how many; 1 at least.
        of: images in the whole batch.

    Example:
        >>> [Share.of_process(rank, 3, 8) for rank in range(3)]
        [Share(first=0, number=2, of=8), Share(first=2, number=3, of=8), Share(first=5, number=3, of=8)]
    """

    first: int
    number: int
    of: int

    @classmethod
    def whole(cls, of: int) -> Share:
        """All images of a batch."""
        return cls(0, of, of)

    @classmethod
    def of_process(cls, rank: int, processes: int, of: int) -> Share:
        """What falls to one of several processes: shares differ by one image at most."""
        first, end = (of * each // processes for each in (rank, rank + 1))
        return cls(first, end - first, of)

    @property
    def positions(self) -> slice:
        """Where in the batch they are."""
        return slice(self.first, self.first + self.number)

    def __contains__(self, position: int) -> bool:
        return self.first <= position < self.first + self.number
