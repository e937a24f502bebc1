"""What cannot be executed as asked is told before a step begins."""

from __future__ import annotations

import socket

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.executing import executing
from retrieval_vs_diffusion.executors.executor import LocalExecutor, executor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.parameters import Compute, Parameters


def parameters(execution="ray", address=None, device="cpu") -> Parameters:
    """A world's, of which nothing else is looked at."""
    return Parameters.model_construct(
        execution=execution, ray=RaySettings(address=address), compute=Compute(device=device)
    )


def refused(asked: Parameters, root) -> str:
    with pytest.raises(UserError) as told, executing(asked, root):
        pytest.fail("a step would begin")
    return str(told.value)


def test_no_cluster_at_the_address(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    assert refused(parameters(address=f"127.0.0.1:{port}"), tmp_path).startswith("ray.address: no cluster answers at")
    assert refused(parameters(address="nonsense"), tmp_path) == (
        'ray.address: found "nonsense"; host:port, auto or null will do'
    )


def test_a_gpu_by_its_number(tmp_path):
    assert refused(parameters(device="cuda:1"), tmp_path).startswith("compute.device: found cuda:1, and to each actor")


def test_local_takes_no_ray(tmp_path):
    with executing(parameters(execution="local"), tmp_path):
        assert isinstance(executor(), LocalExecutor)
