"""Where the parts of a pipeline are: on one device, or brought to the GPU only while they run."""

from __future__ import annotations

from typing import Any

import torch

OFFLOADS = ("model", "sequential")


def offloads(device: torch.device, offload: str | None) -> bool:
    """Whether parts come and go: only where the GPU has a memory of its own."""
    return offload is not None and device.type == "cuda"


def place(pipeline: Any, device: torch.device, offload: str | None) -> None:
    """Bring a pipeline to a device, or hook its parts so that they go there when they run.

    Hooks belong to the pipeline that set them: of two pipelines that share their parts, the last one placed runs.

    Args:
        pipeline: of diffusers.
        device: where it computes.
        offload: one of ``OFFLOADS``, or None for everything at once.
    """
    if not offloads(device, offload):
        take_back(pipeline)
        pipeline.to(device)
    elif offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_sequential_cpu_offload(device=device)


def take_back(pipeline: Any) -> None:
    """Take the hooks away, after which weights can be exchanged: under ``sequential`` they are elsewhere."""
    if any(hasattr(part, "_hf_hook") for part in pipeline.components.values()):
        pipeline.remove_all_hooks()
