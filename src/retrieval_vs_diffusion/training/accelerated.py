"""One process of several that train a classifier, through Accelerate."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.training.share import Share
from retrieval_vs_diffusion.training.shared_statistics import SharedStatistics

# Who waits for a look of another process, or for images that it decodes, waits long; one that died ends the others.
_LONGEST_WAIT = timedelta(days=1)


class Accelerated:
    """As ``Together`` has it: gradients, batch statistics and losses are those of the whole batch.

    Args:
        rank: which process this is.
        processes: how many there are.
        kind: of the device, ``cpu`` or ``cuda``; each process takes the GPU of its number.
        threads: of torch on the CPU, in this process.
        folder: where the processes find each other; new, and of this training alone.
        tell: told the number of steps that are done; in the first process.
    """

    def __init__(
        self, rank: int, processes: int, kind: str, threads: int, folder: Path, tell: Callable[[Any], None]
    ) -> None:
        self.is_first = rank == 0
        self._rank, self._processes, self._tell = rank, processes, tell
        loopback = "lo0" if sys.platform == "darwin" else "lo"
        os.environ.update(
            # Accelerate asks for these.
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(processes), LOCAL_WORLD_SIZE=str(processes),
            OMP_NUM_THREADS=str(threads),
        )  # fmt: skip
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
        os.environ.setdefault("NCCL_SOCKET_IFNAME", loopback)
        torch.set_num_threads(threads)
        from accelerate import Accelerator
        from accelerate.utils import check_cuda_p2p_ib_support

        if kind == "cuda":
            torch.cuda.set_device(rank)
            if not check_cuda_p2p_ib_support():  # some GPUs have no way to each other but through memory
                os.environ.update(NCCL_P2P_DISABLE="1", NCCL_IB_DISABLE="1")
        # A file: the usual store of a first process listens on all addresses of the machine.
        store = distributed.FileStore(str(folder / "rendezvous"), processes)
        backend = "nccl" if kind == "cuda" else "gloo"
        distributed.init_process_group(backend, store=store, rank=rank, world_size=processes, timeout=_LONGEST_WAIT)
        self._accelerator = Accelerator(cpu=kind == "cpu", mixed_precision="no")
        self.device: torch.device = self._accelerator.device

    def share(self, batch_size: int) -> Share:
        """Its part of each batch."""
        return Share.of_process(self._rank, self._processes, batch_size)

    def prepare(self, network: nn.Module) -> Callable[[Tensor], Tensor]:
        """The network with gradients averaged over the processes, and batch statistics taken over them."""
        prepared = self._accelerator.prepare(network)
        prepared.broadcast_buffers = False  # running statistics are the same in all processes as it is

        def logits(images: Tensor) -> Tensor:
            with SharedStatistics():
                return prepared(images)

        return logits

    def of_whole_batch(self, loss: Tensor, share: Share) -> tuple[Tensor, float]:
        """The loss, weighted by how many images it is the mean of; the loss of all images."""
        weighted = loss * (share.number * self._processes / share.of)  # 1 where all shares are equal
        return weighted, float(self._accelerator.reduce(weighted.detach(), "mean"))

    def draw_apart(self, seed: int, step: int) -> None:
        """Derived anew at each look, where states are kept: those of the first process alone are."""
        if not self.is_first:
            torch.manual_seed(derive_seed(seed, "process", self._rank, step))

    def steps(self, steps: range, description: str) -> Iterator[int]:
        """The first process tells of them."""
        if self.is_first:
            self._tell((steps.start - 1, steps.stop - 1))
        for step in steps:
            if self.is_first:
                self._tell(step)
            yield step

    def end(self) -> None:
        """Part from the others."""
        self._accelerator.end_training()
