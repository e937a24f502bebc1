"""The parts of the GPU's measurements in the order of their value, each in a process of its own with a limit."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu_stages.place import Place
from benchmarks.gpu_stages.reported import GpuRow

ROOT = Path(__file__).parents[2]
# Module and seconds; what a part leaves over the later ones may use. 8 minutes and a half in all: the ninth is for
# starting and for the transfer of results.
PARTS: Mapping[str, int] = {"generation": 250, "clip_embedding": 70, "training": 100, "textual_inversion": 90}


def run(
    name: str, seconds: float, folder: Path, tiny: bool, profile: Path | None
) -> tuple[list[dict[str, Any]], str | None]:
    """Run a part in a process of its own, and end it when its time is up.

    Returns:
        The rows that it told until then, and why it did not come to its end, None where it did.
    """
    told = folder / f"{name}.jsonl"
    command = [sys.executable, "-m", "benchmarks.gpu", "--measure", name, "--to", str(told), "--folder", str(folder)]
    command += ["--tiny"] if tiny else []
    command += ["--profile", str(profile)] if profile else []
    # A session of its own: the workers that load images end with it.
    process = subprocess.Popen(command, cwd=ROOT, env=_environment(folder, tiny), start_new_session=True)
    failed = None
    try:
        if code := process.wait(timeout=seconds):
            failed = f"ended with {code}"
    except subprocess.TimeoutExpired:
        failed = f"cut off after {seconds:.0f} s"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    lines = told.read_text().splitlines() if told.exists() else []
    return [json.loads(line) for line in lines], failed


def rows_of(name: str, place: Place) -> Iterator[GpuRow]:
    """The rows of a part, one after the other."""
    yield from importlib.import_module(f"benchmarks.gpu_stages.{name}").measure(place)


def left_for(name: str, chosen: Sequence[str], spent: float, limits: Mapping[str, int] = PARTS) -> float:
    """Seconds that a part may take: its own, and what those before it left over or took too much."""
    until = sum(limits[each] for each in chosen[: chosen.index(name) + 1])
    return max(0.0, until - spent)


def _environment(folder: Path, tiny: bool) -> dict[str, str]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    # What one part compiled the next one finds.
    environment["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "compiled")
    if tiny:
        # The CPU's compiler takes minutes for a denoiser, and says nothing of the GPU's.
        environment |= {"TORCH_COMPILE_DISABLE": "1", "CUDA_VISIBLE_DEVICES": ""}
    return environment
