"""The project's MLflow database, or a server's: opening, searching, and writing what it can hold."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from sqlalchemy import event
from sqlalchemy.engine import Engine

from retrieval_vs_diffusion.atomic import clear_partial, replacing
from retrieval_vs_diffusion.execution.artifact_lock import alone_with
from retrieval_vs_diffusion.execution.digest import digest
from retrieval_vs_diffusion.tracking import DATABASE, EXPERIMENT
from retrieval_vs_diffusion.tracking_server import RemoteTracking

# It says that it makes a database, on the stream of errors.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)

NOTE = "mlflow.note.content"  # the tag that MLflow shows as a run's description, as Markdown
_AT_ONCE = 100  # parameters, or metrics, in one call; MLflow takes no more parameters
_ABOUT = """\
One run for each **comparison** (`role = comparison`): strategies under one protocol on the same data. Inside it a run
for each strategy and repetition (`role = repetition`); the plus sign before a comparison shows them. Figures are
fractions of one, seconds and bytes.

- Compare strategies: group runs by the tag `strategy`, or select some and press *Compare*.
- What failed or was interrupted: `attributes.status = 'FAILED'`; the tag `failure` says why.
- Another protocol, or other images, is another comparison; the tag `data_digest` tells data apart.
"""


def open_experiment(project: Path, server: RemoteTracking | None = None) -> tuple[MlflowClient, str]:
    """A client of a server, or of the project's ``mlflow.db``, and the experiment's id; made where it is not there.

    The database is made whole by one run: MLflow makes its tables one after the other, and refuses for ever what it
    finds half-made, by a run that was killed or one that works beside this one.
    """
    if server is not None:
        client = MlflowClient(server.address)
        return client, _on_server(client, project)
    database = project / DATABASE
    with alone_with(database, "opening MLflow's database"):
        clear_partial(database)
        if not database.exists():
            with replacing(database) as partial, _in_memory_first():
                _create_experiment(MlflowClient(f"sqlite:///{partial}"), project)
        client = MlflowClient(f"sqlite:///{database}")
        experiment = client.get_experiment_by_name(EXPERIMENT)
        return client, experiment.experiment_id if experiment is not None else _create_experiment(client, project)


def _on_server(client: MlflowClient, project: Path) -> str:
    with alone_with(project / DATABASE, "opening MLflow's experiment"):
        if (found := client.get_experiment_by_name(EXPERIMENT)) is not None:
            return found.experiment_id
        try:
            return _create_experiment(client)
        except MlflowException as error:  # another project's run was quicker
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return client.get_experiment_by_name(EXPERIMENT).experiment_id


def name_of(project: Path) -> str:
    """A short name of a project's folder on a server, where runs of others are too; a copy of it has another.

    Paths are not asked: machines that share a folder may see it under different ones.
    """
    place = project / f"{DATABASE}.project"
    with alone_with(place, "naming the project"):
        if not place.exists():
            with replacing(place) as partial:
                partial.write_text(secrets.token_hex(16))
    return digest(place.read_text(), place.stat().st_ino)[:12]


@contextlib.contextmanager
def _in_memory_first() -> Iterator[None]:
    """Have SQLite leave it to us to bring a new database to the disk, as a whole and once.

    It does so itself after each of MLflow's three hundred statements that make tables, which takes seconds.
    """

    def leave_it(connection: Any, _: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", leave_it)
    try:
        yield
    finally:
        event.remove(Engine, "connect", leave_it)


def _create_experiment(client: MlflowClient, project: Path | None = None) -> str:
    """Make the experiment, with artifacts beside the project's own database, or where a server has them."""
    # Runs come first in the UI, not traces.
    tags = {"mlflow.experimentKind": "custom_model_development", NOTE: _ABOUT}
    return client.create_experiment(EXPERIMENT, (project / "mlartifacts").as_uri() if project else None, tags)


def search(client: MlflowClient, experiment: str, condition: str) -> list[Run]:
    """All runs of which a condition holds, the newest first; MLflow itself gives a thousand at a time."""
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment], filter_string=condition, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def metric(name: str, value: float, step: int = 0) -> Metric:
    """A figure as MLflow logs it, now."""
    return Metric(name, float(value), int(time.time() * 1000), int(step))


def write(
    client: MlflowClient,
    run: str,
    metrics: Iterable[Metric] = (),
    params: Iterable[Param] = (),
    tags: Mapping[str, str] | None = None,
) -> None:
    """Log figures and parameters, however many, and then tags.

    Each call of MLflow's is brought to the disk, and so they are few. What is not finite is left out, for MLflow's
    charts break on it.
    """
    finite = [each for each in metrics if math.isfinite(each.value)]
    given = list(params)
    for start in range(0, max(len(finite), len(given)), _AT_ONCE):
        chosen = slice(start, start + _AT_ONCE)
        client.log_batch(run, metrics=finite[chosen], params=given[chosen])
    if tags:
        client.log_batch(run, tags=[RunTag(name, value) for name, value in tags.items()])


def parameters_of(tree: Mapping[str, Any], prefix: str = "") -> Iterator[Param]:
    """Nested parameters with dotted names, as MLflow compares them."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from parameters_of(value, f"{prefix}{key}.")
        else:
            yield Param(f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value))
