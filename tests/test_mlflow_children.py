"""Children of a comparison in a real database: what takes whose place, and what is left alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from mlflow.entities import ViewType
from sqlalchemy import create_engine

from retrieval_vs_diffusion.mlflow_children import Children, mark_what_died
from retrieval_vs_diffusion.mlflow_figures import comparison_figures
from retrieval_vs_diffusion.mlflow_store import NOTE, metric, open_experiment, parameters_of, search, write
from retrieval_vs_diffusion.running_process import RunningProcess
from retrieval_vs_diffusion.tracking import DATABASE

KEY = ("boomerang", 0)
_SLEEPER = """
import sys, time
from pathlib import Path
from retrieval_vs_diffusion.running_process import RunningProcess
print(RunningProcess(Path(sys.argv[1])).name, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    folder = tmp_path_factory.mktemp("database")
    return folder, *open_experiment(folder)


@pytest.fixture
def children(database):
    folder, client, experiment = database
    parent = client.create_run(experiment).info.run_id
    process = RunningProcess(folder / "running")
    yield Children(client, experiment, parent, {"world": "test"}, process)
    process.end()


def _statuses(children):
    return [run.info.status for run in children.of(*KEY)]


def test_a_child_says_what_it_is_from_its_start_and_what_it_came_to_at_its_end(database, children):
    run = children.start(KEY, {NOTE: "words"})
    client = database[1]
    begun = client.get_run(run).data.tags
    assert (begun[NOTE], begun["strategy"], begun["repetition"]) == ("words", "boomerang", "0")
    children.finish(KEY, {NOTE: "other words", "fingerprint": "a", "agreement_by": "judge"})
    ended = client.get_run(run)
    assert (ended.info.status, ended.data.tags[NOTE]) == ("FINISHED", "other words")
    assert (ended.data.tags["fingerprint"], ended.data.tags["agreement_by"]) == ("a", "judge")


def test_what_is_written_after_a_database_was_made_waits_for_the_disk_again(tmp_path):
    open_experiment(tmp_path)
    engine = create_engine(f"sqlite:///{tmp_path / DATABASE}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL; 0 is OFF
    engine.dispose()


def test_a_child_that_ends_well_takes_the_place_of_all_before_it(database, children):
    children.fail(KEY, "no memory")
    children.fail(KEY, "no memory again")
    assert _statuses(children) == ["FAILED"]  # the last attempt's
    children.start(KEY)
    assert _statuses(children) == ["RUNNING", "FAILED"]  # until the new one is whole
    children.finish(KEY, {"fingerprint": "a"})
    assert _statuses(children) == ["FINISHED"]
    children.start(KEY)
    children.finish(KEY, {"fingerprint": "b"})
    (run,) = children.of(*KEY)
    assert run.data.tags["fingerprint"] == "b"
    _, client, experiment = database
    gone = client.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)
    assert sorted(each.info.status for each in gone) == ["FAILED", "FAILED", "FINISHED"]


def test_an_attempt_that_fails_leaves_the_figures_that_are_whole(children):
    children.start(KEY)
    children.finish(KEY, {})
    children.fail(KEY, "no memory")
    assert _statuses(children) == ["FAILED", "FINISHED"]
    assert children.of(*KEY)[0].data.tags["failure"] == "no memory"


def test_starting_twice_is_one_child(children):
    assert children.start(KEY) == children.start(KEY)
    children.wait()
    assert _statuses(children) == ["SCHEDULED"]
    assert children.open == []


def test_what_another_process_works_on_is_left_alone_until_it_dies(database, children):
    folder, client, experiment = database
    command = [sys.executable, "-c", _SLEEPER, str(folder / "running")]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    name = other.stdout.readline().strip()
    run = children.start(KEY)
    client.set_tag(run, "process", name)  # as if the other had begun it
    mine = RunningProcess(folder / "running")
    again = Children(client, experiment, client.get_run(run).data.tags["mlflow.parentRunId"], {}, mine)
    mark_what_died(client, experiment, mine)
    again.start(KEY)
    again.finish(KEY, {})
    assert sorted(_statuses(children)) == ["FINISHED", "RUNNING"]
    assert again.others_at_work()
    other.kill()
    other.wait()
    mark_what_died(client, experiment, mine)
    assert sorted(_statuses(children)) == ["FAILED", "FINISHED"]
    assert not again.others_at_work()
    assert name in client.get_run(run).data.tags["failure"]
    mine.end()


def test_what_is_not_finite_is_no_figure_and_nothing_breaks(database):
    import pandas as pd

    _, client, experiment = database
    run = client.create_run(experiment).info.run_id
    inf, nan = float("inf"), float("nan")
    row = {"strategy": "boomerang", "top1_mean": 0.5, "top1_low": nan, "top1_high": nan, "gain": nan}
    curve = pd.DataFrame({"images_per_class": [5.0, 12.4], "top1_mean": [0.5, 0.75], "top1_low": nan, "top1_high": nan})
    write(client, run, comparison_figures(pd.DataFrame([{**row, "real_images": -inf}]), curve))
    assert client.get_run(run).data.metrics == {"top1_mean/boomerang": 0.5, "size_curve/top1": 0.75}
    points = [(point.step, point.value) for point in client.get_metric_history(run, "size_curve/top1")]
    assert points == [(5, 0.5), (12, 0.75)]


def test_many_figures_and_parameters_are_written_in_parts_that_mlflow_takes(database):
    _, client, experiment = database
    run = client.create_run(experiment).info.run_id
    settings = parameters_of({"many": {f"p{number}": number for number in range(150)}, "none": {}})
    write(client, run, [metric("loss", 1 / (step + 1), step) for step in range(1200)], settings)
    assert len(client.get_metric_history(run, "loss")) == 1200  # MLflow refuses more than 1,000 at once
    assert len(client.get_run(run).data.params) == 151
    assert client.get_run(run).data.params["none"] == "{}"


def test_a_search_finds_all_runs_however_many_mlflow_gives_at_once(database, monkeypatch):
    _, client, experiment = database
    for _ in range(3):
        client.create_run(experiment, tags={"searched": "yes"})
    given = client.search_runs
    monkeypatch.setattr(client, "search_runs", lambda *a, **k: given(*a, max_results=2, **k))
    assert len(search(client, experiment, "tags.searched = 'yes'")) == 3
