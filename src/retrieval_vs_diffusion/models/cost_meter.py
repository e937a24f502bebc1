"""What a piece of work cost: seconds, seconds of a GPU, memory and floating point operations."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Cost:
    """The cost of some work; costs of work done one after the other can be added.

    Args:
        seconds: on the clock.
        gpu_seconds: for which a GPU was held; 0 on the CPU.
        peak_memory_bytes: the most of the GPU's memory that PyTorch had given out; None where it is not known.
        flops: floating point operations, 2 a multiply-add (``models/flops.py``).

    Example:
        >>> Cost(1.0, 1.0, 300, 5) + Cost(2.0, 0.0, None, 7)
        Cost(seconds=3.0, gpu_seconds=1.0, peak_memory_bytes=300, flops=12)
    """

    seconds: float = 0.0
    gpu_seconds: float = 0.0
    peak_memory_bytes: int | None = None
    flops: int = 0

    def __add__(self, other: Cost) -> Cost:
        """The cost of both; of their memory, the larger, as one gives back what the other then takes."""
        return Cost(
            self.seconds + other.seconds,
            self.gpu_seconds + other.gpu_seconds,
            _larger(self.peak_memory_bytes, other.peak_memory_bytes),
            self.flops + other.flops,
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Cost:
        """From what ``to_dict`` gave.

        Raises:
            ValueError: naming the fields that are missing or strange.
        """
        known = {each.name for each in fields(cls)}
        if strange := known ^ values.keys():
            raise ValueError(f"a cost has {', '.join(sorted(known))}; missing or strange: {', '.join(sorted(strange))}")
        return cls(**values)


class CostMeter:
    """Measures what happens while the context is open; meters may be nested.

    On CUDA it waits for the device at both ends: without, work that is only queued would look as if it were done.

    Args:
        device: where the work runs.

    Example:
        >>> with CostMeter(diffusion.device) as meter, CountedFlops(diffusion.pipeline) as counted:
        ...     images = list(diffusion.text_to_image(["a zero"], [0], Sampling()))
        >>> meter.cost(counted.total)
        Cost(seconds=0.41, gpu_seconds=0.41, peak_memory_bytes=3451224064, flops=1842176)
    """

    # PyTorch keeps one peak a device: before an inner meter resets it, the outer ones write it down.
    _open: ClassVar[list[CostMeter]] = []

    def __init__(self, device: torch.device | str) -> None:
        self.device = device
        self._cost: Cost | None = None
        self._started = 0.0
        self._peak: int | None = None
        self._elsewhere, self._waited = Cost(), 0.0

    def __enter__(self) -> CostMeter:
        """Start measuring; what was measured before is forgotten."""
        self._cost = self._peak = None
        self._elsewhere, self._waited = Cost(), 0.0
        if self._on_cuda:
            import torch

            torch.cuda.synchronize(self.device)
            self._write_down_peaks()
            torch.cuda.reset_peak_memory_stats(self.device)
        self._open.append(self)
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop measuring, after errors too."""
        try:
            if self._on_cuda:
                import torch

                torch.cuda.synchronize(self.device)
                self._write_down_peaks()
        finally:
            seconds = time.perf_counter() - self._started - self._waited
            self._open.remove(self)
            self._cost = Cost(seconds, seconds if self._on_cuda else 0.0, self._peak) + self._elsewhere

    @property
    def seconds(self) -> float:
        """Seconds on the clock."""
        return self.cost().seconds

    @property
    def gpu_seconds(self) -> float:
        """Seconds for which the GPU was held, whether or not it was busy; 0 on the CPU."""
        return self.cost().gpu_seconds

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most that PyTorch had given out of the GPU's memory, what was there before included; None on the CPU."""
        return self.cost().peak_memory_bytes

    def cost(self, flops: int = 0) -> Cost:
        """All of it, with the operations that something else counted.

        Raises:
            RuntimeError: if the context is not over.
        """
        if self._cost is None:
            raise RuntimeError("the cost is known when the meter's context is over")
        return self._cost + Cost(flops=flops)

    def so_far(self) -> Cost:
        """The cost until now, while the context is open; work that a GPU still has queued is not waited for."""
        seconds = time.perf_counter() - self._started - self._waited
        peak = self._peak
        if self._on_cuda:
            import torch

            peak = _larger(peak, torch.cuda.max_memory_allocated(self.device))
        return Cost(seconds, seconds if self._on_cuda else 0.0, peak) + self._elsewhere

    @property
    def _on_cuda(self) -> bool:
        return str(self.device).split(":")[0] == "cuda"

    def _write_down_peaks(self) -> None:
        import torch

        for meter in self._open:
            if meter._on_cuda:
                meter._peak = _larger(meter._peak, torch.cuda.max_memory_allocated(meter.device))


def spent_elsewhere(cost: Cost, waited: float) -> None:
    """Tell the open meters what other processes spent on the work that is measured.

    Args:
        cost: of the others; it is added.
        waited: seconds for which this process did nothing but wait for them; they are taken off.
    """
    for meter in CostMeter._open:
        meter._elsewhere += cost
        meter._waited += waited


def _larger(one: int | None, other: int | None) -> int | None:
    known = [each for each in (one, other) if each is not None]
    return max(known, default=None)
