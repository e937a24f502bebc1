"""The trials of a tuning in MLflow: one parent run, a child for each trial."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from retrieval_vs_diffusion.execution.artifact_lock import alone_with
from retrieval_vs_diffusion.execution.digest import digest
from retrieval_vs_diffusion.mlflow_children import PROJECT
from retrieval_vs_diffusion.mlflow_store import metric, name_of, open_experiment, parameters_of, search, write
from retrieval_vs_diffusion.tracking import DATABASE
from retrieval_vs_diffusion.tracking_server import RemoteTracking


def log_tuning(project: Path, server: RemoteTracking | None, world: str, trials: pd.DataFrame, table: Path) -> None:
    """Write a table of trials, once.

    Args:
        project: the project's folder, which holds ``mlflow.db``.
        server: where it is written instead; None for that database.
        world: name of the world.
        trials: as ``comparison.tuning.trial_table`` makes it.
        table: the same as a file, to attach.
    """
    client, experiment = open_experiment(project, server)
    tuning = digest(trials.to_csv())[:8]
    with alone_with(project / f"{DATABASE}.tuning", "writing the tuning to MLflow"):
        _log_tuning(client, experiment, {PROJECT: name_of(project)} if server else {}, tuning, world, trials, table)


def _log_tuning(
    client: MlflowClient,
    experiment: str,
    whose: Mapping[str, str],
    tuning: str,
    world: str,
    trials: pd.DataFrame,
    table: Path,
) -> None:
    own = "".join(f" and tags.{name} = '{value}'" for name, value in whose.items())
    for run in search(client, experiment, f"tags.tuning = '{tuning}' and tags.role = 'tuning'{own}"):
        if run.info.status == "FINISHED":
            return
        client.delete_run(run.info.run_id)  # was interrupted while it was written; its children go with it
    tags = {**whose, "role": "tuning", "tuning": tuning, "world": world, MLFLOW_RUN_NAME: f"{world} tuning {tuning}"}
    parent = client.create_run(experiment, tags=tags).info.run_id
    for row in trials.to_dict("records"):
        about = {
            **whose,
            MLFLOW_PARENT_RUN_ID: parent,
            MLFLOW_RUN_NAME: str(row["trial"]),
            "role": "trial",
            "strategy": row["strategy"],
            "chosen": str(row["chosen"]).lower(),
            "world": world,
        }
        child = client.create_run(experiment, tags=about).info.run_id
        by_repetition = [metric("val_top1", value, step) for step, value in enumerate(json.loads(row["val_top1"]))]
        figures = [metric("val_top1_mean", row["val_top1_mean"]), *by_repetition]
        write(client, child, figures, parameters_of(json.loads(row["settings"])))
        client.set_terminated(child, "FINISHED")
    client.log_artifact(parent, str(table))
    client.set_terminated(parent, "FINISHED")
