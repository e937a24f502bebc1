"""The processor that models run on, and how many of its threads."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from retrieval_vs_diffusion.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

DEVICES = ("auto", "cuda", "mps", "cpu")


def choose_device(device: str, threads: int = 0, processes: int = 1) -> torch.device:
    """Turn ``device`` into a torch device and say which; ``auto`` takes CUDA, else MPS, else the CPU.

    Args:
        device: one of ``DEVICES``, or ``cuda:<number>``.
        threads: CPU threads for torch; 0 leaves torch's own choice. Numbers depend on it in the last
            bits, so it belongs to what an image is made of.
        processes: of a classifier's training (``training/process_number.py``); nothing here depends on it.

    Raises:
        UserError: if the device is unknown or not there.
    """
    import torch

    del processes
    if threads:
        torch.set_num_threads(threads)
    kind = device.split(":")[0]
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise UserError(f'device: found "{device}"; {did_you_mean(kind, DEVICES)}')
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = next(candidate for candidate in ("cuda", "mps", "cpu") if available[candidate])
    elif not available[kind]:
        found = ", ".join(each for each, there in available.items() if there)
        raise UserError(f"device: {device} is not available here; there is {found}: take one, or device: auto")
    chosen = torch.device(device)
    if (str(chosen), torch.get_num_threads()) not in _announced:
        _announced.add((str(chosen), torch.get_num_threads()))
        described = (
            torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else f"{torch.get_num_threads()} threads"
        )
        logger.info("Running models on %s (%s)", chosen, described)
    return chosen


_announced: set[tuple[str, int]] = set()
