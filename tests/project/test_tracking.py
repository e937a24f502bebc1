"""What MLflow holds after a run."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from retrieval_vs_diffusion.tracking import EXPERIMENT
from tests.project.conftest import ROWS


@pytest.fixture(scope="module")
def finished(finished, tmp_path_factory):
    """The finished project with a database of its own, which a run makes up for; other tests fail in the first."""
    project = finished.copy(tmp_path_factory.mktemp("tracked_alone") / "project")
    done = project.kedro("run", "--env=test", "--params", "only=all")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture(scope="module")
def client(finished) -> MlflowClient:
    return MlflowClient(f"sqlite:///{finished.path / 'mlflow.db'}")


@pytest.fixture(scope="module")
def runs(client):
    return client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])


def test_one_parent_and_a_child_for_each_strategy_and_repetition(runs):
    parents = [run for run in runs if run.data.tags["role"] == "comparison"]
    children = [run for run in runs if run.data.tags["role"] == "repetition"]
    assert len(parents) == 1
    assert len(children) == 2 * len(ROWS)  # each strategy in 2 repetitions
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}
    assert len({(run.data.tags["strategy"], run.data.tags["repetition"]) for run in children}) == len(children)
    assert {run.data.tags["world"] for run in runs} == {"test"}
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_a_child_has_parameters_figures_curves_and_a_grid(client, runs):
    child = next(run for run in runs if run.data.tags.get("strategy") == "textual_inversion")
    assert child.data.params["classifier.steps"] == "20"
    assert {"top1", "top5", "seconds", "images_added", "label_agreement"} <= child.data.metrics.keys()
    assert {"seconds/personalise", "seconds/bring", "seconds/screen", "seconds/train"} <= child.data.metrics.keys()
    assert {"gpu_seconds", "flops", "stored_bytes", "ledger/asked", "ledger/used"} <= child.data.metrics.keys()
    assert child.data.metrics["price"] == pytest.approx(child.data.metrics["seconds"] / 3600)  # 1 USD an hour
    assert {"set/kid", "set/diversity", "set/near_duplicate_share", "set/copied_share"} <= child.data.metrics.keys()
    # Two validation looks in 20 steps: at 10 and at 20.
    assert [each.step for each in client.get_metric_history(child.info.run_id, "val_top1")] == [10, 20]
    assert "added_images.png" in {file.path for file in client.list_artifacts(child.info.run_id)}


def test_what_was_not_measured_is_no_figure(runs):
    of = {run.data.tags["strategy"]: run.data.metrics for run in runs if run.data.tags["role"] == "repetition"}
    assert not [name for name in of["original_only"] if name.startswith("set/")]
    assert sorted(name for name in of["more_real"] if name.startswith("set/")) == [
        *("set/diversity", "set/kid", "set/near_duplicate_share")  # nothing was generated, so nothing copied
    ]


def test_the_parent_carries_the_reporting_layer(client, runs, finished):
    parent = _parent(runs)
    tables = ("leaderboard", "comparisons", "size_curve", "sets", "ledger", "costs", "classes", "leaks")
    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert files == {*(f"{name}.csv" for name in tables), "summary.json", "report.html"}
    folder = Path(urlparse(parent.info.artifact_uri).path)
    for name in files:
        assert (folder / name).read_bytes() == finished.reporting(name).read_bytes(), name


def test_the_parent_has_the_leaderboards_figures_and_the_size_curve(client, runs, finished):
    parent, board = _parent(runs), pd.read_csv(finished.reporting("leaderboard.csv")).set_index("strategy")
    for name in ("top1_mean", "top1_low", "top1_high", "gain", "real_images"):
        known = board[name][np.isfinite(board[name])]
        logged = {key.split("/")[1]: value for key, value in parent.data.metrics.items() if key.startswith(f"{name}/")}
        assert logged == pytest.approx(known.to_dict()), name
    curve = pd.read_csv(finished.reporting("size_curve.csv"))
    points = [(point.step, point.value) for point in client.get_metric_history(parent.info.run_id, "size_curve/top1")]
    assert points == [
        *(
            (round(size), pytest.approx(top1))
            for size, top1 in zip(curve.images_per_class, curve.top1_mean, strict=True)
        )
    ]


def test_the_parent_says_what_came_out(runs, finished):
    parent, summary = _parent(runs), json.loads(finished.reporting("summary.json").read_text())
    assert parent.data.tags["verdict"] == summary["sentence"]
    digest = json.loads(finished.reporting("results_digest.json").read_text())["digest"]
    assert parent.data.tags["results_digest"] == digest  # so that tables are told apart, and repeated ones found
    for arm, name in summary["best"].items():
        assert parent.data.tags[f"best_{arm}"] == (name or "none")
    note = parent.data.tags["mlflow.note.content"]
    assert all(f"| `{name}` |" in note for name in ROWS)


def test_every_run_names_its_comparison_and_its_data(runs):
    for name in ("role", "world", "comparison", "data_digest", "strategy", "repetition"):
        assert all(run.data.tags.get(name) for run in runs), name
    assert len({run.data.tags["comparison"] for run in runs}) == 1
    for run in runs:
        assert sorted(each.dataset.name for each in run.inputs.dataset_inputs) == ["test pool", "test target"]
        assert run.data.tags["mlflow.note.content"]


def _parent(runs):
    (parent,) = [run for run in runs if run.data.tags["role"] == "comparison"]
    return parent
