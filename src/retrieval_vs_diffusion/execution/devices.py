"""Which device this machine has, told without asking torch: that takes seconds, and starts CUDA."""

from __future__ import annotations

import os
import platform
import re
import sys


def has_gpu() -> bool:
    """Whether an NVIDIA GPU is here that processes may use; containers may be given any one, WSL has another name."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in {"", "-1"}
    return not hidden and any(re.fullmatch(r"nvidia\d+|dxg", name) for name in _device_files())


def device_found() -> str:
    """What ``device: auto`` means here: ``cuda``, ``mps`` or ``cpu``."""
    if has_gpu():
        return "cuda"
    return "mps" if sys.platform == "darwin" and platform.machine() == "arm64" else "cpu"


def _device_files() -> list[str]:
    return os.listdir("/dev") if os.path.isdir("/dev") else []
