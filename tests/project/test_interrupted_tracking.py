"""What MLflow holds of runs that are killed, fail, or are another comparison."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow.entities import ViewType

from tests.project.conftest import Project
from tests.project.mlflow_reading import at_work, ended_as, everything, runs_of

ROWS = ("original_only", "retrieval_text")
PLAIN = f"only={'+'.join(ROWS)}"
LONGER = f"{PLAIN},classifier.steps=120"  # another protocol than the world's 20, so another comparison
WHOLE = {(strategy, repetition): ["FINISHED"] for strategy in ROWS for repetition in ("0", "1")}


@pytest.fixture(scope="module")
def tracked(finished, tmp_path_factory) -> Project:
    """A project of its own whose database holds two rows of the test world."""
    project = finished.copy(tmp_path_factory.mktemp("tracked") / "project")
    _run(project, PLAIN)
    return project


@pytest.fixture(scope="module")
def first(tracked) -> list[tuple]:
    """The first comparison as it was before anything else happened."""
    runs = [*runs_of(tracked.path, "comparison"), *runs_of(tracked.path, "repetition")]
    return [everything(run) for run in runs]


@pytest.fixture(scope="module")
def killed(tracked, first) -> Project:
    """The same, after another comparison was killed in the middle."""
    _stop(tracked, LONGER, signal.SIGKILL)
    return tracked


def test_a_second_run_with_nothing_changed_writes_nothing_and_does_without_mlflow(tracked, first):
    before = (tracked.path / "mlflow.db").read_bytes()
    command = [str(Path(sys.executable).with_name("kedro")), "run", "--env=test", "--params", PLAIN]
    environment = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    run = subprocess.run(command, cwd=tracked.path, env=environment, capture_output=True, text=True, check=True)
    assert (tracked.path / "mlflow.db").read_bytes() == before
    assert "| kedro" in run.stderr
    assert "| mlflow" not in run.stderr
    assert "| torch\n" not in run.stderr


def test_a_killed_run_leaves_children_running_that_the_next_run_of_the_project_marks_failed(killed):
    assert at_work(killed.path) > 0
    (other,) = [run for run in runs_of(killed.path, "comparison") if run.data.params["classifier.steps"] == "120"]
    _run(killed, LONGER)
    assert at_work(killed.path) == 0
    assert ended_as(killed.path, comparison=other.data.tags["comparison"]) == WHOLE
    replaced = runs_of(killed.path, "repetition", ViewType.DELETED_ONLY, comparison=other.data.tags["comparison"])
    assert replaced
    assert {run.info.status for run in replaced} == {"FAILED"}
    assert all("died" in run.data.tags["failure"] for run in replaced)


def test_a_second_comparison_leaves_the_first_as_it_was(killed, first):
    _run(killed, LONGER)
    parents = runs_of(killed.path, "comparison")
    assert len(parents) == 2
    assert {run.info.status for run in parents} == {"FINISHED"}
    runs = [*parents, *runs_of(killed.path, "repetition")]
    mine = {each[0] for each in first}
    assert [everything(run) for run in runs if run.info.run_id in mine] == first
    others = [run for run in runs if run.info.run_id not in mine]
    assert len(others) == 1 + len(WHOLE)
    assert len({run.data.tags["data_digest"] for run in runs}) == 1  # the same images
    assert "classifier.steps=120" in next(run.info.run_name for run in others if run.data.tags["role"] == "comparison")


@pytest.mark.parametrize(("number", "words"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "interrupted")])
def test_a_run_that_is_told_to_end_marks_its_children_failed(tracked, first, number, words):
    longer = f"{PLAIN},classifier.steps={300 + number}"
    _stop(tracked, longer, number, alone=number == signal.SIGTERM)  # Ctrl-C reaches the workers too
    assert at_work(tracked.path) == 0
    parent = next(run for run in runs_of(tracked.path, "comparison") if str(300 + number) in run.info.run_name)
    children = runs_of(tracked.path, "repetition", comparison=parent.data.tags["comparison"])
    assert {"FAILED"} <= {run.info.status for run in [parent, *children]} <= {"FAILED", "FINISHED"}
    assert words in parent.data.tags["failure"]
    assert any(words in run.data.tags.get("failure", "") for run in children)


def test_a_step_that_fails_leaves_failed_children_with_the_reason_until_it_is_mended(tracked, first):
    rows, row = "only=original_only+strong_augmentation", "strong_augmentation"
    failing = tracked.kedro(
        *("run", "--env=test", "--params", f"{rows},strategies.{row}.classifier.learning_rate=1e30")
    )
    assert failing.returncode == 1
    key = first[0][4]["tags"]["comparison"]
    statuses = ended_as(tracked.path, comparison=key)
    assert {each: statuses[row, each] for each in "01"} == {"0": ["FAILED"], "1": ["FAILED"]}
    assert {each: statuses["original_only", each] for each in "01"} == {"0": ["FINISHED"], "1": ["FINISHED"]}
    failed = runs_of(tracked.path, "repetition", strategy=row, comparison=key)
    assert all("the loss is" in run.data.tags["failure"] for run in failed)
    assert all("the loss is" in run.data.tags["mlflow.note.content"] for run in failed)
    assert {run.data.params["strategy.classifier.learning_rate"] for run in failed} == {"1e+30"}
    (parent,) = runs_of(tracked.path, "comparison", comparison=key)
    assert parent.info.status == "FAILED"

    _run(tracked, rows)
    assert {each: ended_as(tracked.path, comparison=key)[row, each] for each in "01"} == {
        **{"0": ["FINISHED"], "1": ["FINISHED"]}
    }
    (parent,) = runs_of(tracked.path, "comparison", comparison=key)
    assert parent.info.status == "FINISHED"
    assert "failure" not in parent.data.tags


def test_a_stage_alone_leaves_children_that_wait_for_the_next_stage(tracked, first):
    parameters = f"{PLAIN},classifier.steps=25"
    _run(tracked, parameters, "--pipeline=train")
    key = next(run for run in runs_of(tracked.path, "comparison") if "steps=25" in run.info.run_name)
    assert ended_as(tracked.path, comparison=key.data.tags["comparison"]) == {each: ["SCHEDULED"] for each in WHOLE}
    _run(tracked, parameters, "--pipeline=evaluate")
    assert ended_as(tracked.path, comparison=key.data.tags["comparison"]) == WHOLE


def _run(project: Project, parameters: str, *more: str) -> None:
    run = project.kedro("run", "--env=test", "--params", parameters, *more)
    assert run.returncode == 0, run.stdout + run.stderr


def _as_on_a_terminal() -> None:
    """Ctrl-C is heard; what a shell starts in the background, as this test may be, ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _working_in(folder: Path) -> list[str]:
    """Processes whose folder it is."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(process / "cwd") == str(folder):
                found.append(process.name)
    return found


def _stop(project: Project, parameters: str, number: int, alone: bool = False) -> None:
    """Start a run and send it, and its workers if not ``alone``, a signal when it works on a child."""
    command = [str(Path(sys.executable).with_name("kedro")), "run", "--env=test", "--params", parameters]
    before = at_work(project.path)
    with (project.path / "stopped.log").open("w") as log:
        about = {"cwd": project.path, "stdout": log, "stderr": log, "start_new_session": True}
        run = subprocess.Popen(command, **about, preexec_fn=_as_on_a_terminal)
        try:
            deadline = time.monotonic() + 120
            while at_work(project.path) <= before and run.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            assert run.poll() is None, (project.path / "stopped.log").read_text()
            (os.kill if alone else os.killpg)(run.pid, number)
            # As a shell has it: a signal that ended it, or 128 more than the number of the one that it obeyed.
            assert run.wait(timeout=60) == (128 + number if number == signal.SIGINT else -number)
            if number != signal.SIGKILL:
                assert "the same command goes on from here" in (project.path / "stopped.log").read_text()
            deadline = time.monotonic() + 30
            while _working_in(project.path) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert not _working_in(project.path)  # no worker stays behind
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
