import platform
import sys

import pytest

from retrieval_vs_diffusion.execution import devices
from retrieval_vs_diffusion.execution.devices import device_found, has_gpu


@pytest.fixture
def machine(monkeypatch):
    """Pretend to be a machine with these device files."""

    def make(files: list[str], visible: str | None = None, system: str = "linux", processor: str = "x86_64"):
        monkeypatch.setattr(devices, "_device_files", lambda: files)
        monkeypatch.setattr(sys, "platform", system)
        monkeypatch.setattr(platform, "machine", lambda: processor)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return make


@pytest.mark.parametrize(
    ("files", "visible", "found"),
    [
        (["nvidia0", "nvidiactl", "nvidia-uvm"], None, True),
        (["nvidia3", "nvidiactl"], None, True),  # a container that was given the fourth
        (["dxg", "null"], None, True),  # Windows' subsystem for Linux
        (["nvidiactl", "nvidia-uvm", "null"], None, False),  # a driver without a card
        ([], None, False),
        (["nvidia0"], "", False),
        (["nvidia0"], "-1", False),
        (["nvidia0"], "0", True),
    ],
)
def test_a_gpu_is_known_by_its_device_file_unless_it_is_hidden(machine, files, visible, found):
    machine(files, visible)
    assert has_gpu() is found
    assert device_found() == ("cuda" if found else "cpu")


def test_apples_own_processors_have_mps(machine):
    machine([], system="darwin", processor="arm64")
    assert device_found() == "mps"
    machine([], system="darwin", processor="x86_64")
    assert device_found() == "cpu"
