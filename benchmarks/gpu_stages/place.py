"""Where a part of the GPU's measurements runs, and what of the device it watches."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch


@dataclass(frozen=True)
class Place:
    """The device, a folder, and whether the shapes are those that say something.

    Args:
        device: where models run.
        folder: for files; those of one run of the script are shared by its parts.
        tiny: shapes that the CPU computes in seconds, which say nothing of speed.
        profile: a file for the profiles of our sides; None where none is asked for.
    """

    device: torch.device
    folder: Path
    tiny: bool = False
    profile: Path | None = None

    low_precision: ClassVar = "bfloat16"  # what both sides compute in

    def wait(self) -> None:
        """Until the device has done what it was asked for: a clock that is read before tells nothing."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def timed(self, work: Callable[[], object], units: int) -> float:
        """Seconds a unit that the work takes."""
        self.wait()
        started = time.perf_counter()
        work()
        self.wait()
        return (time.perf_counter() - started) / units

    def peak_memory(self, work: Callable[[], object]) -> int:
        """Bytes of the device that the work holds at most, beyond what lay there; 0 where that cannot be told."""
        if self.device.type != "cuda":
            work()
            return 0
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        self.wait()
        return torch.cuda.max_memory_allocated() - before

    def profiled(self, stage: str, work: Callable[[], object]) -> None:
        """Write where the time of our side goes, if that is asked for; the work is a little of a row's."""
        if self.profile is None:
            return
        from torch.profiler import ProfilerActivity, profile

        on_gpu = self.device.type == "cuda"
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
        with profile(activities=activities) as profiler:
            work()
            self.wait()
        by = "self_cuda_time_total" if on_gpu else "self_cpu_time_total"
        table = profiler.key_averages().table(sort_by=by, row_limit=25, max_name_column_width=70)
        with self.profile.open("a") as file:
            file.write(f"## {stage}\n\n{table}\n\n")


@contextlib.contextmanager
def exact_float32() -> Iterator[None]:
    """Products and convolutions of float32 in float32: TF32, which cuDNN takes by default, is no reference."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
