"""A copy of the project in which the test world has run once, as a user runs it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from benchmarks.project_copy import ROOT, copy_project

# Every strategy of the base world, in order, and those of a plain run.
ROWS = tuple(yaml.safe_load((ROOT / "conf/base/strategies.yml").read_text())["strategies"])
PLAIN = ("original_only", "more_real", "simple_prompt", "boomerang", "textual_inversion", "retrieval_text")
ADD_NOTHING = ("original_only", "strong_augmentation")


@dataclass(frozen=True)
class Project:
    """A copy of the project.

    Args:
        path: its folder.
        output: what the first run printed.
    """

    path: Path
    output: str

    def kedro(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the ``kedro`` command in the project."""
        return kedro(self.path, *arguments)

    def copy(self, to: Path) -> Project:
        """A copy of its own for a test that changes something; it begins its own MLflow database.

        MLflow writes down where artifacts are: a copied database would write into this project.
        """
        shutil.copytree(self.path, to, symlinks=True, ignore=shutil.ignore_patterns("mlflow.db*", "mlartifacts"))
        return Project(to, "")

    def reporting(self, name: str) -> Path:
        """A file of the test world's reporting layer."""
        return self.path / "data/test/08_reporting" / name

    def stale(self, **runtime_params) -> set[str]:
        """Names of the steps that a run with these parameters would make; nothing is run."""
        from kedro.framework.project import pipelines

        from retrieval_vs_diffusion.execution.freshness import Freshness
        from retrieval_vs_diffusion.pipeline_registry import whole_study
        from retrieval_vs_diffusion.world import current_study

        bootstrap_project(self.path)
        with KedroSession.create(self.path, env="test", runtime_params=runtime_params) as session:
            catalog = session.load_context().catalog
            freshness = Freshness(whole_study(current_study()), catalog)
            return {node.name for node in freshness.stale_nodes(pipelines["__default__"])}


def kedro(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the ``kedro`` command in a project folder, its output captured, as in a pipe."""
    command = [str(Path(sys.executable).with_name("kedro")), *arguments]
    environment = {**os.environ, "COLUMNS": "200", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    return subprocess.run(command, cwd=path, env=environment, capture_output=True, text=True, timeout=400, check=False)


@pytest.fixture(scope="session")
def empty_project(tmp_path_factory) -> Path:
    """A project in which nothing has run; tests must not run anything whole in it."""
    return copy_project(tmp_path_factory.mktemp("empty") / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """A project whose test world ran once with every strategy; tests leave it as they find it.

    Where tests run in several processes, the first that asks makes it, and each has a copy: some tests damage it for a
    moment.
    """
    own = tmp_path_factory.mktemp("finished") / "project"
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return _finish(own)
    shared = tmp_path_factory.getbasetemp().parent / "finished"
    shared.mkdir(exist_ok=True)
    output = shared / "output.txt"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not output.exists():
            shutil.rmtree(shared / "project", ignore_errors=True)  # of a process that did not come through
            output.write_text(_finish(shared / "project").output)
    return replace(Project(shared / "project", "").copy(own), output=output.read_text())


def _finish(path: Path) -> Project:
    done = kedro(copy_project(path), "run", "--env=test", "--params", "only=all")
    assert done.returncode == 0, done.stdout + done.stderr
    return Project(path, done.stdout + done.stderr)
