"""What a personalisation learned, in a form that can be saved and shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Learned:
    """Pseudo-words for classes, and how the learning went.

    Args:
        words_of: the pseudo-word of each class, by class name.
        vectors: token embeddings of each pseudo-word [vectors, width].
        losses: mean denoising loss of each reported step.
        seconds: time that the learning took.
    """

    words_of: Mapping[str, str]
    vectors: Mapping[str, Float[Tensor, "v d"]]
    losses: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0
