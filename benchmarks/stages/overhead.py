"""How much of a plain `kedro run` is not the work of its steps."""

from __future__ import annotations

import compileall
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measuring import Measured
from benchmarks.project_copy import ROOT, copy_project
from benchmarks.rows import row
from benchmarks.where_time_went import where_time_went

DIGEST = "5b04dbd112fa"  # of the base world, as `kedro run` prints it on an x86-64 CPU
_RESULT = "data/08_reporting/results_digest.json"


@row("overhead", "its total", at_most=0.10)
def overhead(folder: Path) -> Measured:
    """A plain `kedro run` of the base world, from nothing.

    Overhead is every core-second that is not spent in the own function of a step: the start until the first one begins,
    loading modules wherever it happens, fingerprints, locks, records, reading inputs and saving outputs, bringing them to
    the disk, MLflow, starting workers, workers that have nothing to do, and the end. The total is cores times seconds
    on the clock. It takes minutes, the time of the run.
    """
    project = copy_project(folder / "project")
    compileall.compile_dir(project / "src", quiet=1)  # as `make install` does
    ledger = folder / "steps.jsonl"
    command = [sys.executable, "-m", "benchmarks.timed_run", str(ledger), "run"]
    cores = len(os.sched_getaffinity(0))
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    environment = {**os.environ, **quiet, "PYTHONPATH": f"{project / 'src'}{os.pathsep}{ROOT}"}
    started = time.monotonic()
    ran = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    ended = time.monotonic()
    if ran.returncode:
        raise RuntimeError(f"kedro run ended with {ran.returncode}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    spent = where_time_went(ledger, started, ended, cores)
    digest = json.loads((project / _RESULT).read_text())["digest"]
    work = f"kedro run, {ended - started:.0f} s on {cores} cores, as core-seconds"
    checked = f"the digest is {digest}, README's table has {DIGEST}; {spent.told()}"
    measured = Measured((spent.overhead,), (spent.total,), work=work, is_share=True)
    return measured.with_check(digest == DIGEST, checked)
