"""What a training costs, with what runs of it had spent that were killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from retrieval_vs_diffusion.models.cost_meter import Cost, CostMeter
from retrieval_vs_diffusion.unfinished import unfinished

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class TrainingCost:
    """Can be pickled: of several processes the first keeps the states, and with each of them what was spent.

    Args:
        before: what runs that were killed had spent, each by the number of its own processes.
        meter: of this run.
        processes: that train together, each on a GPU of its own.
    """

    before: Cost
    meter: CostMeter
    processes: int

    def so_far(self) -> dict[str, Any]:
        """In the process that keeps a state: the memory is that of its GPU, and the clock is the machine's."""
        return (self.before + self._of_all(self.meter.so_far())).to_dict()

    def in_all(self, peak_memory_bytes: int | None) -> Cost:
        """When the training is done.

        Args:
            peak_memory_bytes: of the GPU of another process; None where this one trained, or no GPU did.
        """
        now = self._of_all(self.meter.cost())
        if self.processes > 1:  # this process had waited, and given out no memory
            now = replace(now, peak_memory_bytes=peak_memory_bytes)
        return self.before + now

    def _of_all(self, cost: Cost) -> Cost:
        return replace(cost, gpu_seconds=cost.gpu_seconds * self.processes)


@contextmanager
def metered_training(device: torch.device, processes: int) -> Iterator[TrainingCost]:
    """Measure the training inside, and have what was spent kept with its states.

    Args:
        device: where it runs.
        processes: that train together.
    """
    work = unfinished()
    before = Cost.from_dict(work.spent_before) if work.spent_before else Cost()
    with CostMeter(device) as meter:
        cost = TrainingCost(before, meter, processes)
        work.measure(cost.so_far)
        yield cost
