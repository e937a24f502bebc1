"""A real MLflow server on loopback, for tests that share one."""

from __future__ import annotations

import contextlib
import random
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from retrieval_vs_diffusion.tracking import EXPERIMENT
from tests.project.test_servers import started


@dataclass(frozen=True)
class RunningMlflow:
    """A server that runs.

    Args:
        address: as a client names it.
        folder: what it keeps.
        process: its number.
    """

    address: str
    folder: Path
    process: int

    def runs(self, role: str, view: int = ViewType.ACTIVE_ONLY, **tags: str) -> list[Run]:
        """Runs that have these tags; none before the experiment is there."""
        client = MlflowClient(self.address)
        found = client.get_experiment_by_name(EXPERIMENT)
        runs = client.search_runs([found.experiment_id], run_view_type=view) if found is not None else []
        wanted = {"role": role, **tags}
        return [run for run in runs if all(run.data.tags.get(name) == value for name, value in wanted.items())]

    def ended_as(self, **tags: str) -> dict[tuple[str, str], list[str]]:
        """Statuses of the children that are not deleted, by strategy and repetition."""
        found: dict[tuple[str, str], list[str]] = {}
        for run in self.runs("repetition", **tags):
            found.setdefault((run.data.tags["strategy"], run.data.tags["repetition"]), []).append(run.info.status)
        return found


@contextlib.contextmanager
def mlflow_server(folder: Path) -> Iterator[RunningMlflow]:
    """A server with everything that it keeps in a folder."""
    port = random.randrange(20_000, 30_000)
    folder.mkdir(parents=True, exist_ok=True)
    kept = (
        "--backend-store-uri",
        f"sqlite:///{folder}/server.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    )
    # As docs/separate_jobs.md has it.
    command = (Path(sys.executable).with_name("mlflow"), "server", "--host", "127.0.0.1", "--workers", "1", *kept)
    log = folder / "server.log"
    with started([*map(str, command), "--port", str(port)], folder, log) as process:
        server = RunningMlflow(f"http://127.0.0.1:{port}", folder, process.pid)
        until = time.monotonic() + 90
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{server.address}/version", timeout=5):
                break
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        yield server
