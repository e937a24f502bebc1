"""What tests read from a project's MLflow database."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from urllib.parse import urlparse

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from retrieval_vs_diffusion.tracking import EXPERIMENT


def client_of(project: Path) -> MlflowClient:
    """A client of the project's database."""
    return MlflowClient(f"sqlite:///{project / 'mlflow.db'}")


def runs_of(project: Path, role: str, view: int = ViewType.ACTIVE_ONLY, **tags: str) -> list[Run]:
    """Runs that have these tags."""
    client = client_of(project)
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    runs = client.search_runs([experiment], run_view_type=view)
    wanted = {"role": role, **tags}
    return [run for run in runs if all(run.data.tags.get(name) == value for name, value in wanted.items())]


def ended_as(project: Path, **tags: str) -> dict[tuple[str, str], list[str]]:
    """Statuses of the children that are not deleted, by strategy and repetition."""
    found: dict[tuple[str, str], list[str]] = {}
    for run in runs_of(project, "repetition", **tags):
        key = run.data.tags["strategy"], run.data.tags["repetition"]
        found[key] = sorted([*found.get(key, []), run.info.status])
    return found


def everything(run: Run) -> tuple:
    """All that the database and the artifact folder hold of a run."""
    folder = Path(urlparse(run.info.artifact_uri).path)
    files = {str(file.relative_to(folder)): _digest(file) for file in sorted(folder.rglob("*")) if file.is_file()}
    inputs = sorted((each.dataset.name, each.dataset.digest) for each in run.inputs.dataset_inputs)
    info = run.info
    return info.run_id, info.status, info.start_time, info.end_time, run.data.to_dictionary(), inputs, files


def at_work(project: Path) -> int:
    """How many children are RUNNING; quick enough to ask while a command runs, and before its database is there."""
    try:
        with sqlite3.connect(f"file:{project / 'mlflow.db'}?mode=ro", uri=True) as database:
            counted = database.execute(
                "select count(*) from runs join tags using (run_uuid) "
                "where status = 'RUNNING' and key = 'role' and value = 'repetition'"
            )
            return counted.fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
