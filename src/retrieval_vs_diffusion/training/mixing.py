"""How original and added images are mixed in a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor


class Shuffled:
    """Gives 0 to n - 1 in random order, again and again: each once before any comes twice.

    Args:
        n: how many numbers.
        generator: decides the order.
    """

    def __init__(self, n: int, generator: torch.Generator) -> None:
        self._n = n
        self._generator = generator
        self._order: list[int] = []
        self._given = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        if self._given == len(self._order):
            self._order, self._given = torch.randperm(self._n, generator=self._generator).tolist(), 0
        self._given += 1
        return self._order[self._given - 1]

    def state_dict(self) -> dict[str, Any]:
        """The order of this round, and how much of it was given."""
        return {"order": torch.tensor(self._order, dtype=torch.long), "given": self._given}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; the generator's own is not part of it."""
        self._order, self._given = state["order"].tolist(), state["given"]


class MixedBatches:
    """Positions of the images of each batch, for ever; added images are numbered after the originals.

    Args:
        originals: number of original images.
        added: number of added images; 0 for none.
        batch_size: images a batch.
        added_share: share of a batch that is drawn from the added images.
        mix: ``share`` keeps to ``added_share``; ``union`` draws from both alike.
        generator: decides the order.
    """

    def __init__(
        self,
        originals: int,
        added: int,
        batch_size: int,
        added_share: float,
        mix: Literal["share", "union"],
        generator: torch.Generator,
    ) -> None:
        together = mix == "union" or not added
        # Each: where it draws from, what is added to its numbers, how many of them a batch takes.
        self._parts: list[tuple[Shuffled, int, int]]
        if together:
            self._parts = [(Shuffled(originals + added, generator), 0, batch_size)]
        else:
            from_added = round(batch_size * added_share)
            self._parts = [
                (Shuffled(originals, generator), 0, batch_size - from_added),
                (Shuffled(added, generator), originals, from_added),
            ]

    def __iter__(self) -> Iterator[Int[Tensor, " b"]]:
        return self

    def __next__(self) -> Int[Tensor, " b"]:
        return torch.tensor([first + next(drawn) for drawn, first, count in self._parts for _ in range(count)])

    def state_dict(self) -> dict[str, Any]:
        """Where each part is in its round."""
        return {"parts": [drawn.state_dict() for drawn, _, _ in self._parts]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; the generator's own is not part of it."""
        for (drawn, _, _), saved in zip(self._parts, state["parts"], strict=True):
            drawn.load_state_dict(saved)
