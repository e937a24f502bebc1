"""The cluster that a run starts for itself: of this machine alone, and gone with the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray
# In a process of its own: Ray reads its settings once a process.
PROGRAM = """
import json, os, sys
from pathlib import Path
from retrieval_vs_diffusion.executors.ray_cluster import disconnect, own_cluster
from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.unfinished import Section
from tests.executors.light_work import Squares, units_of

def listening():
    lines = [line.split() for name in ("tcp", "tcp6") for line in open(f"/proc/net/{name}").readlines()[1:]]
    return {line[1].rpartition(":")[0] for line in lines if line[3] == "0A" and line[9] not in before}

before = [line.split()[9] for name in ("tcp", "tcp6") for line in open(f"/proc/net/{name}").readlines()[1:]]
settings, folder = RaySettings(object_store_gb=0.1), Path(sys.argv[1])
with own_cluster(settings) as address:
    assert "ray" not in sys.modules  # worker processes may be forked
    squares, kept = Squares(folder / "log"), Section(folder / "units")
    made = list(RayExecutor(settings, address).run(squares, units_of(9), kept, "squaring"))
    found = sorted(listening())
    disconnect()
print(json.dumps({"made": made, "listening": found}))
"""
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}  # 127.0.0.1 and the same in IPv6


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Short, as the paths of sockets must be."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_it_listens_on_loopback_alone_and_leaves_nothing_behind(tmp_path, temporary):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        env={**_environment(), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)  # nothing else is written there
    assert told["made"] == [number**2 for number in range(9)]
    assert set(told["listening"]) <= LOOPBACK
    assert told["listening"]
    assert list(temporary.iterdir()) == []
    assert _processes_with(str(temporary)) == []


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}


def _processes_with(text: str) -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found
