"""How many processes train one classifier together."""

from __future__ import annotations

import torch

from retrieval_vs_diffusion.errors import UserError


def number_of_processes(asked: int, device: torch.device, batch_size: int) -> int:
    """Resolve ``compute.processes``; each has a GPU of its own, or all of them share the CPU.

    Args:
        asked: 0 for one on each GPU; on another device that is 1.
        device: where the training runs.
        batch_size: images of a batch; each process takes one at least.

    Raises:
        UserError: if there cannot be so many.
    """
    if asked < 0:
        raise UserError(f"compute.processes: found {asked}; 1 or more will do, or 0 for one on each GPU")
    on_all = device.type == "cuda" and device.index is None
    processes = asked or (torch.cuda.device_count() if on_all else 1)
    if processes > 1 and device.type not in {"cpu", "cuda"}:
        raise UserError(f"compute.processes: found {processes}; on {device.type} one process trains: take 1")
    if processes > 1 and device.type == "cuda" and not on_all:
        raise UserError(f"compute.processes: found {processes}, and device: {device} is one GPU; device: cuda is all")
    if on_all and processes > (there := torch.cuda.device_count()):
        raise UserError(f"compute.processes: found {processes}; GPUs here: {there}; take {there}, or 0 for one on each")
    if processes > batch_size:
        raise UserError(
            f"compute.processes: found {processes} for batches of {batch_size} images (classifier.batch_size); "
            f"{batch_size} or fewer will do"
        )
    return processes
