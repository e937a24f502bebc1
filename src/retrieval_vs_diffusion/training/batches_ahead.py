"""Pixels of training batches on the device, read a batch ahead where they do not lie there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from retrieval_vs_diffusion.images.kept_squares import HeldSquares, Squares
from retrieval_vs_diffusion.images.squares import IN_MEMORY_UP_TO

_AT_ONCE = 1024  # images that are brought to a device together


class BatchesAhead:
    """Gives the pixels of batches in the order in which they were asked for.

    Images that fit on the device, or lie in this process's memory, are indexed there. Others are read, or decoded, on
    a thread, while the network trains on the batch before; what changes them there is done there too.

    Args:
        images: what batches are made of.
        device: where pixels are wanted.
        change: makes of a batch, and of what was drawn for it, the pixels that are wanted, on the thread.
        on_device_up_to: bytes of images that a device other than the CPU holds whole.
    """

    def __init__(
        self,
        images: Squares,
        device: torch.device,
        change: Callable[[UInt8[np.ndarray, "b s s 3"], Tensor], UInt8[Tensor, "b s s 3"]] | None = None,
        on_device_up_to: int = IN_MEMORY_UP_TO,
    ) -> None:
        self._images, self._device, self._change = images, device, change
        self._held: UInt8[Tensor, "n s s 3"] | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._asked: Int[Tensor, " b"] | None = None
        self._coming: Future[Tensor] | None = None
        if change is not None:
            return
        if device.type == "cpu" and isinstance(images, HeldSquares):
            self._held = torch.from_numpy(images.images)
        elif device.type != "cpu" and len(images) * images.size**2 * 3 <= on_device_up_to:
            parts = [images.take(part) for part in _portions(len(images))]
            self._held = torch.cat([torch.from_numpy(part).to(device) for part in parts]) if parts else None

    def ask(self, batch: Int[Tensor, " b"], drawn: Tensor | None = None) -> None:
        """Ask for a batch, by the positions of its images and what was drawn for its ``change``."""
        self._asked = batch
        if self._held is None:
            self._thread = self._thread or ThreadPoolExecutor(1)
            self._coming = self._thread.submit(self._read, batch, drawn)

    @property
    def is_asked(self) -> bool:
        """Whether a batch was asked for and not given yet."""
        return self._asked is not None

    def give(self) -> tuple[Int[Tensor, " b"], UInt8[Tensor, "b s s 3"]]:
        """The batch that was asked for: positions, and pixels on the device."""
        batch, self._asked = self._asked, None
        if batch is None:
            raise RuntimeError("no batch was asked for")
        if self._held is not None:
            return batch, self._held[batch.to(self._device)]
        assert self._coming is not None  # noqa: S101  (it was asked for)
        # Other devices than CUDA's may copy from memory that is given back meanwhile: nothing is pinned for them.
        return batch, self._coming.result().to(self._device, non_blocking=self._device.type == "cuda")

    def each(self, batches: Iterable[Int[Tensor, " _"]]) -> Iterator[UInt8[Tensor, "_ s s 3"]]:
        """The pixels of what was asked for and of several batches, each read while the one before is worked on."""
        for batch in batches:
            if self.is_asked:
                _, pixels = self.give()
                self.ask(batch)
                yield pixels
            else:
                self.ask(batch)
        if self.is_asked:
            yield self.give()[1]

    def _read(self, batch: Int[Tensor, " b"], drawn: Tensor | None) -> UInt8[Tensor, "b s s 3"]:
        images = self._images.take(batch.numpy())
        pixels = torch.from_numpy(images) if self._change is None or drawn is None else self._change(images, drawn)
        return pixels.pin_memory() if self._device.type == "cuda" else pixels  # so that copying waits for nothing


def _portions(number: int) -> list[Int[np.ndarray, " k"]]:
    return [np.arange(start, min(start + _AT_ONCE, number)) for start in range(0, number, _AT_ONCE)]
