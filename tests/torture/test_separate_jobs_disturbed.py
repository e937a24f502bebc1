"""Three jobs with one MLflow server, of which one is killed; and a server that goes away in the middle."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.entities import ViewType

from benchmarks.project_copy import copy_project
from retrieval_vs_diffusion.mlflow_store import name_of
from tests.project.jobs import ROWS, end_well, made, said, start
from tests.project.mlflow_server import RunningMlflow, mlflow_server
from tests.torture.cut_line import CutLine
from tests.torture.killing import wait_for_group, working_on
from tests.torture.same_artifacts import contents, leftovers

pytestmark = pytest.mark.torture
KILLED = "retrieval_text"
WHOLE = {(row, repetition): ["FINISHED"] for row in ROWS for repetition in ("0", "1")}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[RunningMlflow]:
    with mlflow_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(server, tmp_path_factory) -> Path:
    path = copy_project(tmp_path_factory.mktemp("undisturbed") / "project")
    end_well(path, {row: start(path, row, {"tracking.uri": server.address}) for row in ROWS})
    return path


@pytest.fixture(scope="module")
def disturbed(server, undisturbed, tmp_path_factory) -> Path:
    """One of three is killed when it trains; the others end, and then its command is given again."""
    path = copy_project(tmp_path_factory.mktemp("disturbed") / "project")
    jobs = {row: start(path, row, {"tracking.uri": server.address}) for row in ROWS}
    killed = jobs.pop(KILLED)
    _kill_when_it_trains(path, killed)
    end_well(path, jobs)
    assert _rows(path) == [row for row in ROWS if row != KILLED]
    (parent,) = _comparisons(server, path)
    assert server.ended_as(comparison=parent.data.tags["comparison"], project=name_of(path)) != WHOLE
    end_well(path, {KILLED: start(path, KILLED, {"tracking.uri": server.address})})
    return path


def test_the_same_command_again_ends_whole_with_the_table_of_undisturbed_jobs(disturbed, undisturbed):
    assert _rows(disturbed) == list(ROWS)
    assert _digest(disturbed) == _digest(undisturbed)
    assert contents(disturbed / "data/test") == contents(undisturbed / "data/test")
    assert leftovers(disturbed / "data/test") == []


def test_the_comparison_is_one_and_what_the_killed_job_left_on_the_server_is_replaced(disturbed, server):
    (parent,) = _comparisons(server, disturbed)
    assert parent.info.status == "FINISHED"
    assert "failure" not in parent.data.tags
    about = {"project": parent.data.tags["project"]}
    assert server.ended_as(**about) == WHOLE
    replaced = server.runs("repetition", ViewType.DELETED_ONLY, **about)
    assert {run.data.tags["strategy"] for run in replaced} <= {KILLED}


def test_only_what_the_killed_job_was_at_was_made_twice(disturbed):
    steps = [step for step in made(disturbed) if not step.startswith("comparison.")]
    assert {step for step in steps if steps.count(step) > 1} == set()  # what is killed does not say that it made it


def test_a_server_that_goes_away_in_the_middle_costs_a_line_and_the_next_run_brings_it_up_to_date(server, undisturbed):
    path, row = undisturbed, ROWS[0]
    line = CutLine(server.address)
    before, longer = len(said(path, row)), {"classifier.steps": 400}
    job = start(path, row, {"tracking.uri": line.address, **longer}, MLFLOW_HTTP_REQUEST_MAX_RETRIES="1")
    _until(lambda: _children(server, 400), job, path, row)
    line.cut()
    end_well(path, {row: job})
    told = said(path, row)[before:]
    assert told.count("Nothing is written to MLflow at") == 1
    assert "cannot be reached" in told
    assert "is not up to date" in told
    assert "Traceback" not in told
    assert "What was added, and what it was worth" in told
    assert _rows(path) == [row]  # the others were not trained for so long
    (parent,) = _of_steps(server, 400)
    about = {"comparison": parent.data.tags["comparison"]}
    assert {run.info.status for run in _children(server, 400)} == {"RUNNING"}  # as the job left them
    end_well(path, {row: start(path, row, {"tracking.uri": server.address, **longer})})
    assert server.ended_as(**about) == {(row, repetition): ["FINISHED"] for repetition in ("0", "1")}
    (parent,) = _of_steps(server, 400)
    assert (parent.info.status, parent.data.tags["results_digest"]) == ("FINISHED", _digest(path))


def _kill_when_it_trains(path: Path, job) -> None:
    until = time.monotonic() + 200
    while not any("train_repetition" in step for step in working_on(path / "data/test", job.pid)):
        assert job.poll() is None, said(path, KILLED)
        assert time.monotonic() < until
        time.sleep(0.005)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    wait_for_group(job.pid)


def _until(holds, job, path: Path, row: str) -> None:
    until = time.monotonic() + 200
    while not holds():
        assert job.poll() is None, said(path, row)
        assert time.monotonic() < until
        time.sleep(0.05)


def _of_steps(server: RunningMlflow, steps: int) -> list:
    return [run for run in server.runs("comparison") if run.data.params.get("classifier.steps") == str(steps)]


def _children(server: RunningMlflow, steps: int) -> list:
    keys = {run.data.tags["comparison"] for run in _of_steps(server, steps)}
    return [run for key in keys for run in server.runs("repetition", comparison=key)]


def _comparisons(server: RunningMlflow, path: Path) -> list:
    return server.runs("comparison", ViewType.ALL, project=name_of(path))


def _rows(path: Path) -> list[str]:
    board = (path / "data/test/08_reporting/leaderboard.csv").read_text().splitlines()
    return [line.split(",")[0] for line in board[1:]]


def _digest(path: Path) -> str:
    return json.loads((path / "data/test/08_reporting/results_digest.json").read_text())["digest"]
