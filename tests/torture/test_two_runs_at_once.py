"""Two commands on one folder at once: each step is made once, and both end as they would have alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.project_copy import copy_project
from tests.project.mlflow_reading import ended_as
from tests.torture.killing import start
from tests.torture.same_artifacts import contents, leftovers

pytestmark = pytest.mark.torture
ONE, OTHER = "original_only+simple_prompt", "original_only+more_real+retrieval_text"


def run_at_once(project: Path, *commands: tuple[str, ...]) -> list[tuple[int, str]]:
    """Exit codes and what was printed."""
    logs = [project / f"run_{number}.log" for number in range(len(commands))]
    runs = [start(project, *command, log=log) for command, log in zip(commands, logs, strict=True)]
    return [(run.wait(300), log.read_text()) for run, log in zip(runs, logs, strict=True)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    project = copy_project(tmp_path_factory.mktemp("alone") / "project")
    ((code, said),) = run_at_once(project, ("--env=test", "--params", f"only={ONE}"))
    assert code == 0, said
    return project


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> tuple[Path, list[tuple[int, str]]]:
    project = copy_project(tmp_path_factory.mktemp("together") / "project")
    return project, run_at_once(project, *[("--env=test", "--params", f"only={rows}") for rows in (ONE, OTHER)])


def test_both_end_well_and_the_second_says_for_whom_it_waits(together):
    _, runs = together
    for code, said in runs:
        assert code == 0, said
    waits = re.findall(r"(\S+) waits for another run that makes it: process \d+ on \S+, since [\d:]+: (\S+)", str(runs))
    assert waits
    assert all(waiting == made for waiting, made in waits if not made.startswith("comparison."))


def test_each_step_was_made_once_and_is_what_a_run_alone_makes(together, alone):
    made = [re.findall(r"\[\d+/\d+\] (\S+) \(", said) for _, said in together[1]]
    twice = {step for step in set(made[0]) & set(made[1]) if not step.startswith("comparison.")}
    # Which rows a run chose decides what it compares; nothing else depends on it.
    assert twice == set()
    expected, found = contents(alone / "data/test"), contents(together[0] / "data/test")
    shared = [name for name in expected if not name.startswith(("07_", "08_reporting"))]
    assert len(shared) > 20
    assert [name for name in shared if expected[name] != found.get(name)] == []


def test_who_compares_last_has_the_rows_of_both(together):
    reporting = together[0] / "data/test/08_reporting"
    rows = {row.split(",")[0] for row in (reporting / "leaderboard.csv").read_text().splitlines()[1:]}
    assert rows == {*ONE.split("+"), *OTHER.split("+")}
    record = json.loads((reporting / "report.html.made.json").read_text())
    assert record["artifact"] == "comparison.report"
    assert leftovers(together[0] / "data/test") == []


def test_mlflow_has_each_repetition_finished_once(together):
    rows = {*ONE.split("+"), *OTHER.split("+")}
    expected = {(row, repetition): ["FINISHED"] for row in rows for repetition in ("0", "1")}
    assert ended_as(together[0]) == expected


def test_the_same_command_twice_at_once_makes_everything_once(tmp_path):
    project = copy_project(tmp_path / "project")
    ingest = ("--env=test", "--pipeline=data_ingest")
    runs = run_at_once(project, ingest, ingest)
    assert [code for code, _ in runs] == [0, 0]
    made = [step for _, said in runs for step in re.findall(r"\[\d+/\d+\] (\S+) \(", said)]
    assert sorted(made) == sorted(set(made))
    assert {"read_pool", "read_target"} <= set(made)
