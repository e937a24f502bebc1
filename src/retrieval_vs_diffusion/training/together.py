"""Who else trains the same classifier: the training loop asks, and is one for all cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.training.share import Share


@runtime_checkable
class Together(Protocol):
    """The processes that train one classifier, as one of them sees them."""

    is_first: bool
    """Whether this one looks at validation images, keeps states and gives the classifier back."""

    def share(self, batch_size: int) -> Share:
        """Which images of each batch are this process's."""

    def prepare(self, network: nn.Module) -> Callable[[Tensor], Tensor]:
        """What computes logits of this process's images and, in ``backward``, gradients averaged over all processes."""

    def of_whole_batch(self, loss: Tensor, share: Share) -> tuple[Tensor, float]:
        """What to differentiate, and the loss of the whole batch.

        Args:
            loss: mean over this process's images.
            share: which they are.
        """

    def draw_apart(self, seed: int, step: int) -> None:
        """Let torch's global generators, from which dropout draws, be another process's from a step on."""

    def steps(self, steps: range, description: str) -> Iterator[int]:
        """Go through the steps of the training and show how far it is."""


class Alone:
    """One process that trains by itself."""

    is_first = True

    def share(self, batch_size: int) -> Share:
        """All of them."""
        return Share.whole(batch_size)

    def prepare(self, network: nn.Module) -> Callable[[Tensor], Tensor]:
        """The network."""
        return network

    def of_whole_batch(self, loss: Tensor, share: Share) -> tuple[Tensor, float]:
        """The loss as it is."""
        return loss, loss.item()

    def draw_apart(self, seed: int, step: int) -> None:
        """There is nobody to be apart from."""

    def steps(self, steps: range, description: str) -> Iterator[int]:
        """A bar or lines of this process."""
        return progress(steps, description)
