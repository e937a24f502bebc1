"""What MLflow holds after a run."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient

from retrieval_vs_diffusion.tracking import EXPERIMENT
from tests.project.conftest import ROWS


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


def test_the_parent_carries_leaderboard_tables_and_report(client, runs):
    parent = next(run for run in runs if run.data.tags["role"] == "comparison")
    assert {"leaderboard.csv", "sets.csv", "report.html"} <= {
        file.path for file in client.list_artifacts(parent.info.run_id)
    }
