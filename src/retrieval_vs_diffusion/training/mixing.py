"""How original and added images are mixed in a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor


def shuffled_forever(n: int, generator: torch.Generator) -> Iterator[int]:
    """Yield 0 to n - 1 in random order, again and again: each once before any comes twice."""
    while True:
        yield from torch.randperm(n, generator=generator).tolist()


def mixed_batches(
    originals: int,
    added: int,
    batch_size: int,
    added_share: float,
    mix: Literal["share", "union"],
    generator: torch.Generator,
) -> Iterator[Int[Tensor, " b"]]:
    """Positions of the images of each batch, for ever; added images are numbered after the originals.

    Args:
        originals: number of original images.
        added: number of added images; 0 for none.
        batch_size: images a batch.
        added_share: share of a batch that is drawn from the added images.
        mix: ``share`` keeps to ``added_share``; ``union`` draws from both alike.
        generator: decides the order.
    """
    if mix == "union" or not added:
        everything = shuffled_forever(originals + added, generator)
        while True:
            yield torch.tensor([next(everything) for _ in range(batch_size)])
    from_added = round(batch_size * added_share)
    of_originals, of_added = shuffled_forever(originals, generator), shuffled_forever(added, generator)
    while True:
        batch = [next(of_originals) for _ in range(batch_size - from_added)]
        batch += [originals + next(of_added) for _ in range(from_added)]
        yield torch.tensor(batch)
