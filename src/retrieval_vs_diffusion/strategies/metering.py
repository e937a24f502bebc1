"""What a step of a strategy costs: time, memory and the diffusion model's arithmetic."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import torch

from retrieval_vs_diffusion.models.cost_meter import Cost, CostMeter
from retrieval_vs_diffusion.models.flops import CountedFlops
from retrieval_vs_diffusion.unfinished import unfinished

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.diffusion import Diffusion

logger = logging.getLogger(__name__)


@contextmanager
def metered(device: torch.device, diffusion: Diffusion | None) -> Iterator[Callable[[], Cost]]:
    """Measure what is done inside; afterwards the function that it gives tells the cost.

    What runs spent that were killed counts, up to their last whole unit.

    Args:
        device: where models run.
        diffusion: whose floating point operations are counted; None where none is used.
    """
    work = unfinished()
    before = Cost.from_dict(work.spent_before) if work.spent_before else Cost()
    counting = CountedFlops(diffusion.pipeline) if diffusion is not None else nullcontext()
    with counting as flops, CostMeter(device) as meter:
        work.measure(lambda: (before + meter.so_far() + Cost(flops=_total(flops))).to_dict())
        yield lambda: before + meter.cost(_total(flops))


def _total(counted: CountedFlops | None) -> int:
    """The operations; 0, and a line that says so, where they cannot be counted: hours of work must not end by it."""
    try:
        return counted.total if counted is not None else 0
    except RuntimeError as error:
        logger.warning("FLOPs of the diffusion model are missing from the costs: %s", error)
        return 0
