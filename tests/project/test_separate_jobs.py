"""Three strategies as three jobs that start at once in an empty folder, with one MLflow server: one comparison."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from mlflow import MlflowClient
from mlflow.entities import ViewType

from benchmarks.project_copy import copy_project
from retrieval_vs_diffusion.comparison.results_digest import _short
from retrieval_vs_diffusion.mlflow_children import PROCESS, PROJECT, mark_what_died
from retrieval_vs_diffusion.mlflow_comparison import MlflowComparison
from retrieval_vs_diffusion.mlflow_store import name_of, open_experiment
from retrieval_vs_diffusion.mlflow_tuning import log_tuning
from retrieval_vs_diffusion.running_process import RunningProcess
from retrieval_vs_diffusion.tracking import EXPERIMENT
from retrieval_vs_diffusion.tracking_server import RemoteTracking
from retrieval_vs_diffusion.tracking_state import compared_by
from retrieval_vs_diffusion.world import current_study
from tests.project.conftest import Project
from tests.project.jobs import ROWS, SECRET, end_well, made, said, start
from tests.project.mlflow_server import RunningMlflow, mlflow_server
from tests.project.test_servers import LOOPBACK, listening

WHOLE = {(row, repetition): ["FINISHED"] for row in ROWS for repetition in ("0", "1")}


@pytest.fixture(scope="module")
def server(finished, tmp_path_factory) -> Iterator[RunningMlflow]:
    del finished  # so that the two do not run at once
    with mlflow_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def project(server, tmp_path_factory) -> Project:
    """The folder of three jobs: two are told of the server by a parameter, one by its environment."""
    path = copy_project(tmp_path_factory.mktemp("jobs") / "project")
    address = server.address.replace("//", f"//someone:{SECRET}@")
    jobs = {row: start(path, row, {"tracking.uri": address}) for row in ROWS[:2]}
    jobs[ROWS[2]] = start(path, ROWS[2], {}, MLFLOW_TRACKING_URI=f"{address}/")
    end_well(path, jobs)
    return Project(path, "".join(said(path, row) for row in ROWS))


def test_there_is_one_experiment_and_one_comparison_with_each_repetition_once(server, project):
    client = MlflowClient(server.address)
    assert [each.name for each in client.search_experiments(ViewType.ALL)] == [EXPERIMENT, "Default"]
    (parent,) = server.runs("comparison", ViewType.ALL)  # nor was one made and deleted
    assert parent.info.status == "FINISHED"
    assert server.ended_as() == WHOLE
    assert server.runs("repetition", ViewType.DELETED_ONLY) == []
    assert {run.data.tags["mlflow.parentRunId"] for run in server.runs("repetition")} == {parent.info.run_id}


def test_the_one_report_has_three_rows_and_lies_on_the_server_as_in_the_folder(server, project, tmp_path):
    board = pd.read_csv(project.reporting("leaderboard.csv"))
    assert list(board["strategy"]) == list(ROWS)
    (parent,) = server.runs("comparison")
    assert parent.info.artifact_uri.startswith("mlflow-artifacts:/")
    for name in ("leaderboard.csv", "summary.json", "report.html"):
        there = MlflowClient(server.address).download_artifacts(parent.info.run_id, name, str(tmp_path))
        assert Path(there).read_bytes() == project.reporting(name).read_bytes(), name
    assert all(f"| `{row}` |" in parent.data.tags["mlflow.note.content"] for row in ROWS)
    assert {f"top1_mean/{row}" for row in ROWS} <= parent.data.metrics.keys()


def test_the_digest_is_that_of_one_run_that_makes_the_three(server, project, finished):
    alone, here = (json.loads(each.reporting("results_digest.json").read_text()) for each in (finished, project))
    parts = {name: value for name, value in alone["parts"].items() if name.split(".")[0] in ROWS}
    assert here["parts"] == parts
    assert here["digest"] == _short(parts)
    (parent,) = server.runs("comparison")
    assert parent.data.tags["results_digest"] == here["digest"]


def test_what_rows_share_was_made_once(project):
    steps = [step for step in made(project.path) if not step.startswith("comparison.")]
    assert {"read_target", "read_pool", "embed_pool", "build_index"} <= set(steps)
    assert sorted(steps) == sorted(set(steps))


def test_artifacts_and_runs_are_on_the_server_alone_and_its_address_is_told(server, project):
    assert not [name for name in ("mlflow.db", "mlartifacts", "mlruns") if (project.path / name).exists()]
    for row in ROWS:
        assert f"  every run   open {server.address} in a browser" in said(project.path, row)
    assert listening(server.process) <= LOOPBACK


def test_the_password_in_the_address_is_kept_and_printed_nowhere(server, project):
    kept = [file for folder in (project.path, server.folder) for file in folder.rglob("*") if file.is_file()]
    assert len(kept) > 100
    assert [file for file in kept if SECRET.encode() in file.read_bytes()] == []


def test_what_another_folder_works_on_is_left_alone(server, project, tmp_path):
    """Whether its processes live cannot be known here; a copy of a folder is another."""
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(project.path / "mlflow.db.project", copy)
    names = [name_of(project.path), name_of(copy)]
    assert names[0] != names[1]
    assert names[0] == name_of(project.path)
    assert {run.data.tags[PROJECT] for run in server.runs("comparison")} == {names[0]}
    client, experiment = open_experiment(copy, RemoteTracking(server.address))
    runs = []
    for name in names:
        tags = {PROJECT: name, PROCESS: "elsewhere-1-abcdef", "role": "test"}
        runs.append(client.create_run(experiment, tags=tags).info.run_id)
    process = RunningProcess(copy / "running")
    mark_what_died(client, experiment, process, names[1])
    assert [client.get_run(run).info.status for run in runs] == ["RUNNING", "FAILED"]
    process.end()
    for run in runs:
        client.delete_run(run)


def test_two_projects_that_make_the_experiment_at_once_make_one(server, project, monkeypatch, tmp_path):
    """The second is told that there is none, and then that there is one."""
    found, asked = MlflowClient.get_experiment_by_name, []

    def late(client, name):
        asked.append(name)
        return None if len(asked) == 1 else found(client, name)

    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", late)
    client, experiment = open_experiment(tmp_path, RemoteTracking(server.address))
    assert client.get_experiment(experiment).name == EXPERIMENT
    assert len(asked) == 2


def test_jobs_that_come_to_a_comparison_in_the_same_moment_make_one(server, project, monkeypatch):
    """Jobs of ten minutes rarely do: here each that looked whether it is there waits for the others to look too."""
    bootstrap_project(project.path)
    with KedroSession.create(project.path, env="test") as session:
        catalog = session.load_context().catalog
        study = current_study()
        usual = compared_by(study, catalog, project.path)
    new = replace(usual, protocol={"another": "protocol"})
    context = multiprocessing.get_context("fork")
    together = context.Barrier(3)

    find = MlflowComparison._find_parent

    def looked(comparison):
        found = find(comparison)
        with contextlib.suppress(threading.BrokenBarrierError):  # nobody else may look meanwhile
            together.wait(3)
        return found

    monkeypatch.setattr(MlflowComparison, "_find_parent", looked)

    def come() -> None:
        MlflowComparison(project.path, RemoteTracking(server.address), study, new, catalog, {}).end()

    def let_come(parties: int) -> None:
        jobs = [context.Process(target=come) for _ in range(parties)]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join(60)
        assert [job.exitcode for job in jobs] == [0] * parties

    let_come(3)
    (made_once,) = server.runs("comparison", ViewType.ALL, comparison=new.key)
    assert made_once.data.params["another"] == "protocol"
    client = MlflowClient(server.address)
    broken_off = client.create_run(made_once.info.experiment_id, tags=made_once.data.tags)  # and no parameters
    let_come(1)
    assert [run.info.run_id for run in server.runs("comparison", comparison=new.key)] == [made_once.info.run_id]
    assert client.get_run(broken_off.info.run_id).info.lifecycle_stage == "deleted"
    client.delete_run(made_once.info.run_id)


def test_a_tuning_is_written_to_the_server_once(server, project, tmp_path):
    values = {"trial": "a", "strategy": "boomerang", "chosen": True, "settings": "{}"}
    trials = pd.DataFrame([{**values, "val_top1": "[0.5, 0.7]", "val_top1_mean": 0.6}])
    table = tmp_path / "trials.csv"
    trials.to_csv(table)
    for _ in range(2):
        log_tuning(project.path, RemoteTracking(server.address), "test", trials, table)
    (tuning,) = server.runs("tuning", ViewType.ALL)
    (trial,) = server.runs("trial", ViewType.ALL)
    assert tuning.data.tags[PROJECT] == trial.data.tags[PROJECT] == name_of(project.path)
    assert (tuning.info.status, trial.data.metrics["val_top1_mean"]) == ("FINISHED", 0.6)


def test_a_run_without_the_server_says_so_and_the_next_run_makes_up_for_it(server, project):
    """Nothing is to be made: the table is printed, and the command ends well."""
    client = MlflowClient(server.address)
    lost = next(run for run in server.runs("repetition") if run.data.tags["strategy"] == ROWS[0])
    client.delete_run(lost.info.run_id)  # as a server has it that was put back to a state of before
    before = project.reporting("report.html").read_bytes()
    mark = len(said(project.path, ROWS[0]))
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        end_well(project.path, {ROWS[0]: start(project.path, ROWS[0], {"tracking.uri": nobody})})
    told = said(project.path, ROWS[0])[mark:]
    why = f"at {nobody}: it cannot be reached (Connection refused); results are on the disk"
    assert told.count(why) == 1
    assert told.count(f"MLflow at {nobody} is not up to date: it cannot be reached") == 1
    assert "Traceback" not in told
    assert "What was added, and what it was worth" in told
    assert project.reporting("report.html").read_bytes() == before
    assert server.ended_as() != WHOLE
    end_well(project.path, {ROWS[0]: start(project.path, ROWS[0], {"tracking.uri": server.address})})
    assert server.ended_as() == WHOLE
    (parent,) = server.runs("comparison")
    assert parent.info.status == "FINISHED"
