"""The runs of a comparison's repetitions: opened when work on them begins, ended when it ends, however it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from retrieval_vs_diffusion.mlflow_notes import failure_note
from retrieval_vs_diffusion.mlflow_store import NOTE, search, write
from retrieval_vs_diffusion.running_process import RunningProcess

Key = tuple[str, int]  # strategy and repetition
PROCESS = "process"  # the tag that names who works on a run
PROJECT = "project"  # the tag that names whose a run on a server is
FAILURE = "failure"  # the tag that says why a run failed


class Children:
    """Children of one comparison.

    A child is RUNNING while its repetition is worked on, SCHEDULED when a command ended before the stages that
    make its figures, FINISHED or FAILED; what was interrupted is FAILED too. Only a child that ended well
    takes the place of earlier ones of its repetition that did.

    Args:
        client: of the database.
        experiment: its id.
        parent: the comparison's run.
        tags: of every child.
        process: this process; what another living one works on is left alone.
    """

    def __init__(
        self, client: MlflowClient, experiment: str, parent: str, tags: Mapping[str, str], process: RunningProcess
    ) -> None:
        self._client, self._experiment, self._parent = client, experiment, parent
        self._tags, self._process = tags, process
        self._open: dict[Key, str] = {}

    @property
    def open(self) -> list[Key]:
        """What this process works on."""
        return list(self._open)

    def start(self, key: Key, more_tags: Mapping[str, str] | None = None) -> str:
        """Open a child, with more tags than all have, and return its run; the same run where it is open already."""
        if key not in self._open:
            strategy, repetition = key
            tags = {
                **self._tags,
                MLFLOW_PARENT_RUN_ID: self._parent,
                MLFLOW_RUN_NAME: f"{strategy}, repetition {repetition}",
                "role": "repetition",
                "strategy": strategy,
                "repetition": str(repetition),
                PROCESS: self._process.name,
                **(more_tags or {}),
            }
            self._open[key] = self._client.create_run(self._experiment, tags=tags).info.run_id
        return self._open[key]

    def finish(self, key: Key, tags: Mapping[str, str]) -> None:
        """Its figures are written: it takes the place of all earlier children of its repetition."""
        run = self._open[key]
        write(self._client, run, tags=tags)
        self._end(key, "FINISHED")
        self.drop(each for each in self.of(*key) if each.info.run_id != run)

    def fail(self, key: Key, reason: str) -> None:
        """Its work ended too early; children that failed before make room, figures that are whole stay."""
        run = self.start(key)
        mark_failed(self._client, run, reason)
        self._client.set_tag(run, NOTE, failure_note(reason))
        del self._open[key]
        self._drop_unfinished(key, but=run)

    def wait(self) -> None:
        """The command's work is done, and stages to come make the figures of what is open."""
        for key in self.open:
            run = self._open[key]
            self._end(key, "SCHEDULED")
            self._drop_unfinished(key, but=run)

    def of(self, strategy: str, repetition: int | None = None) -> list[Run]:
        """Children of a strategy, or of one repetition, the newest first."""
        which = "" if repetition is None else f" and tags.repetition = '{repetition}'"
        condition = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self._parent}' and tags.strategy = '{strategy}'{which}"
        return search(self._client, self._experiment, condition)

    def others_at_work(self) -> bool:
        """Whether another process works on this comparison."""
        condition = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self._parent}' and attributes.status = 'RUNNING'"
        return any(self._is_anothers(run) for run in search(self._client, self._experiment, condition))

    def drop(self, runs: Iterable[Run]) -> None:
        """Delete children, as MLflow does: `mlflow gc` clears them away. What others work on stays."""
        for run in runs:
            if not self._is_anothers(run):
                self._client.delete_run(run.info.run_id)

    def _drop_unfinished(self, key: Key, but: str) -> None:
        self.drop(run for run in self.of(*key) if run.info.run_id != but and run.info.status != "FINISHED")

    def _end(self, key: Key, status: str) -> None:
        self._client.set_terminated(self._open.pop(key), status)

    def _is_anothers(self, run: Run) -> bool:
        name = run.data.tags.get(PROCESS, "")
        return run.info.status == "RUNNING" and name != self._process.name and self._process.lives(name)


def mark_failed(client: MlflowClient, run: str, reason: str) -> None:
    """End a run as FAILED, and say why."""
    client.set_tag(run, FAILURE, reason)
    client.set_terminated(run, "FAILED")


def mark_what_died(client: MlflowClient, experiment: str, process: RunningProcess, project: str | None = None) -> None:
    """Mark as FAILED what RUNNING runs of processes that are no more left behind, of whatever comparison.

    Args:
        client: of the database or server.
        experiment: its id.
        process: this process; whether another lives is known of those of the same folder alone.
        project: that folder's name on a server, where runs of others are too.
    """
    own = f" and tags.{PROJECT} = '{project}'" if project else ""
    for run in search(client, experiment, f"attributes.status = 'RUNNING'{own}"):
        name: Any = run.data.tags.get(PROCESS)
        if name and name != process.name and not process.lives(name):
            reason = f"the process that worked on it died ({name})"
            mark_failed(client, run.info.run_id, reason)
            if run.data.tags.get("role") == "repetition":
                client.set_tag(run.info.run_id, NOTE, failure_note(reason))
