"""Where the parts of a pipeline are: on one device, or brought to the GPU only while they run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

logger = logging.getLogger(__name__)

OFFLOADS = ("model", "sequential")


def offloads(device: torch.device, offload: str | None) -> bool:
    """Whether parts come and go: only where the GPU has a memory of its own."""
    return offload is not None and device.type == "cuda"


def tell_where_left_out(device: torch.device, offload: str | None) -> None:
    """Log that a device has no use for what is asked for."""
    if offload is not None and not offloads(device, offload):
        logger.info("diffusion.offload: %s is left out on %s; it is for CUDA", offload, device.type)


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


class Placement:
    """Where a pipeline and those that share its parts are, the last one that was used at the front.

    Args:
        pipeline: is placed at once.
        device: where it computes.
        offload: one of ``OFFLOADS``, or None for everything at once.
    """

    def __init__(self, pipeline: Any, device: torch.device, offload: str | None) -> None:
        self._device, self._offload = device, offload
        self._placed: Any = None
        self.use(pipeline)

    def use(self, pipeline: Any) -> None:
        """Bring a pipeline in place, if it is not."""
        if pipeline is not self._placed and (self._placed is None or offloads(self._device, self._offload)):
            place(pipeline, self._device, self._offload)
            self._placed = pipeline

    @contextmanager
    def whole(self, pipeline: Any) -> Iterator[None]:
        """A pipeline in one place while its weights are exchanged."""
        take_back(pipeline)
        yield
        if offloads(self._device, self._offload):
            place(pipeline, self._device, self._offload)
            self._placed = pipeline

    def after_failure(self, pipeline: Any) -> None:
        """Send back the part that failed, which would stay beside the next one."""
        if offloads(self._device, self._offload):
            pipeline.maybe_free_model_hooks()
