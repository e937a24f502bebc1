"""Starts the real command, kills it at a chosen moment, and tells what it was doing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_POLL = 0.01  # seconds


@dataclass(frozen=True)
class Moment:
    """When a run is killed: a random while after a step of the wanted kind began.

    Args:
        kind: a part of the step's name; empty for any step.
        after: artifacts that must be made before.
        units: units of unfinished work that must be there; the kill comes at once then.
        share: of the step's usual seconds that pass until the kill, 0 to 1.
        whole_group: kill the workers in the same moment, as a power cut does; else the main process alone.
    """

    kind: str
    after: int
    units: int
    share: float
    whole_group: bool


@dataclass(frozen=True)
class Killed:
    """What a killed run left.

    Args:
        steps: names of the steps that it was making.
        units: numbered units of unfinished work, by path, with when they were written.
        finished: whether it had ended by itself before the moment came.
    """

    steps: tuple[str, ...]
    units: dict[str, int]
    finished: bool


def start(project: Path, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
    """Start ``kedro run`` in a process group of its own."""
    command = [str(Path(sys.executable).with_name("kedro")), "run", *arguments]
    environment = {**os.environ, "COLUMNS": "200", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    with log.open("ab") as output:
        return subprocess.Popen(
            command, cwd=project, env=environment, stdout=output, stderr=output, start_new_session=True
        )


def kill_at(run: subprocess.Popen[bytes], data: Path, moment: Moment, usual_seconds: dict[str, float]) -> Killed:
    """Wait for a moment, and send SIGKILL.

    Args:
        run: of ``start``.
        data: the world's data folder.
        moment: when.
        usual_seconds: what each step takes undisturbed.
    """
    seen: dict[str, float] = {}  # of each step when it is to be killed
    while run.poll() is None:
        due_by_now = working_on(data, run.pid) if made(data) >= moment.after else []
        working = [step for step in due_by_now if moment.kind in step]
        if moment.units and working and len(numbered_units(data)) >= moment.units:
            return _kill(run, data, moment)
        for step in working if not moment.units else []:
            seen.setdefault(step, time.monotonic() + moment.share * usual_seconds.get(step, 0.0))
        # A step that is gone was quicker than usual: that is a moment too.
        if any(time.monotonic() >= due or step not in working for step, due in seen.items()):
            return _kill(run, data, moment)
        time.sleep(_POLL)
    return Killed((), {}, finished=True)


def _kill(run: subprocess.Popen[bytes], data: Path, moment: Moment) -> Killed:
    if moment.whole_group:
        os.killpg(run.pid, signal.SIGKILL)
    else:
        run.send_signal(signal.SIGKILL)
    run.wait()
    wait_for_group(run.pid)
    return Killed(tuple(working_on(data, run.pid)), numbered_units(data), finished=False)


def wait_for_group(group: int, seconds: float = 20.0) -> None:
    """Wait until the workers of a killed run have ended, which they do by themselves."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(_POLL)
    os.killpg(group, signal.SIGKILL)
    raise AssertionError(f"workers outlived their killed run by {seconds} s")


def working_on(data: Path, process: int) -> list[str]:
    """The steps that a process holds locks for, or held when it was killed: they stay until the next one takes them."""
    found = []
    for lock in _below(data, ".lock"):
        try:
            owner = json.loads(lock.read_text())
        except (OSError, ValueError):
            continue
        found += [owner["purpose"]] if owner["process"] == process else []
    return sorted(found)


def numbered_units(data: Path) -> dict[str, int]:
    """Units that are kept one beside the other, as batches are; a training's state, which is replaced, is none."""
    units = {}
    for folder in _below(data, ".unfinished"):
        for unit in folder.glob("*/*/[0-9]*.*"):
            with contextlib.suppress(FileNotFoundError):  # it was given its name, or its step is done
                units[str(unit)] = unit.stat().st_mtime_ns
    return units


def _below(data: Path, ending: str) -> list[Path]:
    found = []
    for folder, folders, files in os.walk(data):
        found += [Path(folder, name) for name in (*folders, *files) if name.startswith(".") and name.endswith(ending)]
        folders[:] = [name for name in folders if not name.startswith(".")]
    return found


def made(data: Path) -> int:
    """How many artifacts are there with their records."""
    return sum(name.endswith(".made.json") for _, _, names in os.walk(data) for name in names)
