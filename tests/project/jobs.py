"""Strategies as jobs: real commands that run at the same time in one folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROWS = ("original_only", "simple_prompt", "retrieval_text")
SECRET = "geheim-und-lang"


def start(project: Path, row: str, params: Mapping[str, object], **environment: str) -> subprocess.Popen[bytes]:
    """Start ``kedro run --pipeline=<row>`` in a process group of its own; it logs to ``<row>.log``."""
    given = ",".join(f"{name}={value}" for name, value in {"workers": 1, **params}.items())
    command = [str(Path(sys.executable).with_name("kedro")), "run", "--env=test", f"--pipeline={row}"]
    everything = {**os.environ, "COLUMNS": "250", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    with (project / f"{row}.log").open("ab") as log:
        return subprocess.Popen(
            [*command, "--params", given],
            cwd=project,
            env=everything | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def said(project: Path, row: str) -> str:
    """What the job of a row said."""
    return (project / f"{row}.log").read_text()


def end_well(project: Path, jobs: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """Wait for jobs, which must end with 0."""
    try:
        for row, job in jobs.items():
            assert job.wait(timeout=200) == 0, said(project, row)
    finally:
        for job in jobs.values():
            if job.poll() is None:
                os.killpg(job.pid, signal.SIGKILL)
                job.wait()


def made(project: Path) -> list[str]:
    """The steps that the jobs say they made, each as often as one says so."""
    return [step for row in ROWS for step in re.findall(r"\[\d+/\d+\] (\S+) \(", said(project, row))]
