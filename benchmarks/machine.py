"""What the measurements ran on: in words, and as the name of a file."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from retrieval_vs_diffusion.execution.devices import has_gpu


def device() -> str:
    """E.g. ``2 CPU cores (AMD EPYC)``, or the GPU's name."""
    if has_gpu():  # torch takes seconds to load, and every row asks
        import torch

        if torch.cuda.is_available():
            return torch.cuda.get_device_name()
    return f"{len(os.sched_getaffinity(0))} CPU cores ({_processor()})"


def file_name() -> str:
    """The device as letters, digits and hyphens, e.g. ``2-cpu-cores-amd-epyc``."""
    return re.sub(r"[^a-z0-9]+", "-", device().lower()).strip("-")


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    if described.exists() and (found := re.search(r"model name\s*:\s*(.+)", described.read_text())):
        return found[1].strip()
    return platform.processor() or platform.machine()
