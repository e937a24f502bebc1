"""Which executor a run's steps have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.executors.executor import executed_by
from retrieval_vs_diffusion.remote.settings import use

if TYPE_CHECKING:
    from retrieval_vs_diffusion.parameters import Parameters


@contextlib.contextmanager
def executing(parameters: Parameters, root: Path) -> Iterator[None]:
    """Have the steps inside executed as ``execution`` says; worker processes that are forked inside inherit it.

    Args:
        parameters: of the world.
        root: the project's folder.

    Raises:
        UserError: if Ray is asked for and is not installed, cannot start here or does not answer at its address, or a
            GPU is named by its number.
    """
    if parameters.execution == "local":
        yield
        return
    device = parameters.compute.device
    if device.startswith("cuda:") and device != "cuda:0":
        raise UserError(
            f"compute.device: found {device}, and to each actor of Ray its GPU is number 0; cuda will do, and "
            "CUDA_VISIBLE_DEVICES for which GPUs there are"
        )
    from retrieval_vs_diffusion.executors.ray_cluster import check_reachable, disconnect, own_cluster
    from retrieval_vs_diffusion.executors.ray_executor import RayExecutor

    settings = parameters.ray
    if settings.address not in (None, "auto"):
        check_reachable(settings.address)  # before any step is begun
    stores = partial(use, parameters.remote, root)
    cluster = own_cluster(settings) if settings.address is None else contextlib.nullcontext(settings.address)
    with cluster as address, executed_by(RayExecutor(settings, address, root / "data", stores)):
        try:
            yield
        finally:
            disconnect()
