"""What a step of a strategy costs: time, memory and the diffusion model's arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import torch

from retrieval_vs_diffusion.models.cost_meter import Cost, CostMeter
from retrieval_vs_diffusion.models.flops import CountedFlops

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.diffusion import Diffusion


@contextmanager
def metered(device: torch.device, diffusion: Diffusion | None) -> Iterator[Callable[[], Cost]]:
    """Measure what is done inside; afterwards the function that it gives tells the cost.

    Args:
        device: where models run.
        diffusion: whose floating point operations are counted; None where none is used.
    """
    counting = CountedFlops(diffusion.pipeline) if diffusion is not None else nullcontext()
    with counting as flops, CostMeter(device) as meter:
        yield lambda: meter.cost(flops.total if flops is not None else 0)
