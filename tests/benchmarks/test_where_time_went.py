"""Core-seconds of a run, added up by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.where_time_went import where_time_went

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ledger(tmp_path) -> Path:
    lines = [
        {"step": "read", "process": 1, "began": 102.0, "ended": 106.0, "loaded": 1.0},
        {"step": "train", "process": 2, "began": 103.0, "ended": 109.0, "loaded": 0.0},
        {"main": 7, "cpu": 3.0, "cpu_beside_steps": 0.5},
    ]
    path = tmp_path / "steps.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_what_is_not_a_steps_own_function_is_overhead(ledger):
    spent = where_time_went(ledger, started=100.0, ended=110.0, cores=2)
    assert spent.total == 20  # two cores for ten seconds
    assert spent.steps == 9  # 4 and 6, less a second of loading modules
    assert spent.imports == 1
    assert spent.start == 4  # two cores until the first step begins
    assert spent.end == 2  # two cores from the last one's end
    assert spent.rest == 4  # 20 - 9 - 1 - 4 - 2
    # What the main process computed meanwhile made the steps take longer: half a second of theirs is not theirs.
    assert spent.overhead == 20 - 9 + 0.5


def test_the_parts_are_told_as_shares(ledger):
    told = where_time_went(ledger, started=100.0, ended=110.0, cores=2).told()
    assert "start-up 20.0%" in told  # 4 of 20
    assert "the main process beside steps 2.5%" in told  # 0.5 of 20


SCRIPT = """
import sys, time
from pathlib import Path
from benchmarks import timed_run
timed_run.time_imports()
timed_run.time_steps(Path(sys.argv[1]))
from kedro.pipeline import Node

def work(given):
    import slow_to_load
    time.sleep(0.1)
    return given + 1

step = Node(work, "one", "two", name="add")
print(step.run({"one": 1}), step.run({"one": 2}))
"""


STREAM = """
import sys, time
from pathlib import Path
import numpy as np
from benchmarks import timed_run
timed_run.time_streams(Path(sys.argv[1]))
from retrieval_vs_diffusion.models.embeddings import EmbeddingStream

def batches():
    for _ in range(2):
        time.sleep(0.1)
        yield np.ones((1, 2))

for batch in EmbeddingStream(batches(), 2, "a model"):
    time.sleep(0.2)  # it is written
"""


def test_embeddings_that_are_made_while_they_are_saved_are_their_steps_work(tmp_path):
    ledger = tmp_path / "steps.jsonl"
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", STREAM, str(ledger)], env=environment, capture_output=True, text=True, check=False
    )
    assert not ran.returncode, ran.stderr
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    took = [line["ended"] - line["began"] for line in lines]
    assert [each >= 0.1 for each in took] == [True, True, False]  # two batches, and that there is no third
    first, second, _ = lines
    assert second["began"] - first["ended"] >= 0.2  # what writing takes is nobody's work


def test_a_step_is_timed_and_the_modules_that_it_loads_apart(tmp_path):
    (tmp_path / "slow_to_load.py").write_text("import time\ntime.sleep(0.2)\nimport colorsys\n")
    ledger = tmp_path / "steps.jsonl"
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}:{tmp_path}", "PATH": ""}
    command = [sys.executable, "-c", SCRIPT, str(ledger)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["{'two':", "2}", "{'two':", "3}"], ran.stderr
    first, second = (json.loads(line) for line in ledger.read_text().splitlines())
    assert first["step"] == "add"
    assert first["loaded"] >= 0.2  # it sleeps so long while it is loaded
    assert first["ended"] - first["began"] - first["loaded"] >= 0.1  # and the function sleeps so long itself
    assert second["loaded"] == 0  # it is there already
