"""MLflow: a parent run for each comparison, a child for each strategy and repetition.

What is tracked is read from the artifacts, so a run that was interrupted, a database that was deleted, or a
server that was not there, is made up for by the next run. Nodes know nothing of it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from retrieval_vs_diffusion.errors import find_user_error
from retrieval_vs_diffusion.interruption import Interruption
from retrieval_vs_diffusion.progress import heartbeat
from retrieval_vs_diffusion.tracking_server import RemoteTracking, server_of

logger = logging.getLogger(__name__)
EXPERIMENT = "retrieval_vs_diffusion"
DATABASE = "mlflow.db"
# What its client raises, and what it keeps artifacts with where a server does not take them.
_OF_MLFLOW = ("mlflow", "sqlalchemy", "requests", "urllib3", "boto3", "botocore", "google", "azure")
_COLLECT = ".collect_results"  # the node after which a strategy's repetitions are all there
_OF_A_REPETITION = re.compile(r"(\w+)\.repetition_(\d+)\.")


class TrackingHook:
    """Opens a child when the first step of its repetition is done, and ends it when its figures are collected."""

    def __init__(self) -> None:
        self._interruption = Interruption(self._fail)
        self._project = Path()
        self._server: RemoteTracking | None = None
        self._tracker: Any = None
        self._waiting: list[str] = []
        self._reported = False
        self._gave_up = False

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep where the project is."""
        self._project = Path(context.project_path)

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Nothing waits at the start, and what an interrupted run in this process (a notebook's) left is ended.

        Raises:
            UserError: if what is named as a server's address is none.
        """
        self._fail("interrupted before it was done")
        self._waiting, self._reported, self._gave_up = [], False, False
        self._server = current_server(self._project)
        if self._server is not None:
            self._server.use()
            if reason := self._server.why_not():
                self._give_up(reason)

    @hook_impl
    def after_node_run(self, node: Node, catalog: DataCatalog) -> None:
        """Open the children whose first step this is; write the strategy whose results were just collected."""
        begun = repetitions_of(node)
        if self._waiting or begun:
            with self._writing():
                # Kedro calls this before outputs are saved: the strategy that is written is the one before.
                self._log_waiting(catalog)
                for key in begun:
                    if tracker := self._comparison(catalog):
                        tracker.start_repetition(key)
        if node.name.endswith(_COLLECT):
            self._waiting.append(str(node.namespace))
        self._reported |= "comparison.report" in node.outputs

    @hook_impl
    def on_pipeline_error(self, error: Exception, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Write what was whole before the error, and say of the rest why it failed."""
        reasons = failed_repetitions(error, pipeline)
        if not (self._tracker or self._waiting or reasons):
            return
        self._try_again()
        with self._writing():
            self._log_waiting(catalog)
            tracker = self._comparison(catalog)
            if tracker and self._reported:
                tracker.log_report(catalog)
            if tracker:
                tracker.fail(reasons, otherwise=_in_a_line(error))
            self._end(_in_a_line(error))

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Write every strategy of the pipeline that is not yet there, and the comparison itself."""
        from retrieval_vs_diffusion.tracking_state import Stamp, state

        if "tuning.trials" in pipeline.all_outputs():
            self._track_tuning(catalog)
        collected = [str(node.namespace) for node in pipeline.nodes if node.name.endswith(_COLLECT)]
        compared = self._compared(catalog) if collected or self._tracker else None
        if compared is None:
            return
        tracked, stamp = state(compared, _study(), collected, catalog), Stamp(self._project / DATABASE)
        if self._server is None and self._tracker is None and stamp.holds(tracked):
            return
        self._try_again()
        self._waiting = collected
        with self._writing():
            self._log_waiting(catalog)
            tracker = self._comparison(catalog)
            if tracker and collected and "comparison.report" in pipeline.all_outputs():
                tracker.log_report(catalog)
            self._end()
            if not self._gave_up and self._server is None:  # what others write to a server is not seen here
                stamp.add(tracked)

    def _log_waiting(self, catalog: DataCatalog) -> None:
        waiting, self._waiting = self._waiting, []
        for strategy in waiting:
            if tracker := self._comparison(catalog):
                tracker.log_strategy(strategy, catalog)

    def _track_tuning(self, catalog: DataCatalog) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from retrieval_vs_diffusion.execution.freshness import path_of
        from retrieval_vs_diffusion.mlflow_tuning import log_tuning

        trials = catalog["tuning.trials"]
        self._try_again()
        if not self._gave_up:
            with self._writing():
                world = _study().parameters.world
                log_tuning(self._project, self._server, world, trials.load(), Path(str(path_of(trials))))

    def _compared(self, catalog: DataCatalog) -> Any:
        from retrieval_vs_diffusion.tracking_state import compared_by

        return compared_by(_study(), catalog, self._project)

    def _comparison(self, catalog: DataCatalog) -> Any:
        """The comparison in MLflow, opened when there is something to write; None while its data are not read."""
        if self._tracker is None and not self._gave_up and (compared := self._compared(catalog)):
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            from retrieval_vs_diffusion.mlflow_comparison import MlflowComparison
            from retrieval_vs_diffusion.world import current_run

            given = current_run()[1]
            self._tracker = MlflowComparison(self._project, self._server, _study(), compared, catalog, given)
            self._interruption.watch()
        return self._tracker

    def _fail(self, reason: str) -> None:
        """All that is open has failed."""
        if self._tracker is not None:
            with self._server.in_a_hurry() if self._server else contextlib.nullcontext(), self._forgiving():
                self._tracker.fail({}, otherwise=reason)
                self._end(reason)

    def _end(self, failure: str | None = None) -> None:
        if self._tracker is not None:
            self._tracker.end(failure)
            self._tracker = None
            self._interruption.forget()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._forgiving(), self._interruption.put_off(), heartbeat("writing to MLflow"):
            yield

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # Hours of work must not be lost to a database that another process locks, or to a server that is away.
            if not isinstance(error, OSError | ImportError) and type(error).__module__.split(".")[0] not in _OF_MLFLOW:
                raise
            self._give_up(self._server.in_words(error) if self._server else _in_a_line(error))

    def _give_up(self, reason: str) -> None:
        """Nothing more is written before the end of the run, where a server is asked once more."""
        if self._server is not None:
            logger.warning(
                "Nothing is written to MLflow at %s: %s; results are on the disk, and the end of this run, or the next "
                "run, makes up for it",
                *(self._server.address, reason),
            )
        else:
            logger.warning("MLflow could not be written to, which the next run makes up for: %s", reason)
        if self._tracker is not None:
            self._tracker.abandon()
        self._tracker, self._gave_up = None, True
        self._interruption.forget()

    def _try_again(self) -> None:
        if self._gave_up and self._server is not None:
            if reason := self._server.why_not():
                logger.warning("MLflow at %s is not up to date: %s", self._server.address, reason)
            self._gave_up = reason is not None


def repetitions_of(node: Node) -> list[tuple[str, int]]:
    """The strategies and repetitions of the study that a node works for; variants of a strategy are none."""
    known = _study().strategies
    found = (_OF_A_REPETITION.match(output) for output in node.outputs)
    return list(dict.fromkeys((match[1], int(match[2])) for match in found if match and match[1] in known))


def failed_repetitions(error: BaseException | None, pipeline: Pipeline) -> dict[tuple[str, int], str]:
    """Why repetitions failed: a step of theirs did, or one that they need. Empty where no step failed."""
    while error is not None and not hasattr(error, "failed"):
        error = error.__context__  # the runner raises the first step's error while it handles all of them
    reasons: dict[tuple[str, int], str] = {}
    for name, failure in getattr(error, "failed", {}).items():
        for node in pipeline.from_nodes(name).nodes:
            reasons |= {key: f"{name}: {_in_a_line(failure)}" for key in repetitions_of(node) if key not in reasons}
    return reasons


def _in_a_line(error: BaseException) -> str:
    return " ".join(str(find_user_error(error) or repr(error)).split())[:1000]


def current_server(project: Path) -> RemoteTracking | None:
    """The server that the current context's runs are written to; None for the project's own database.

    Raises:
        UserError: if what is named as a server's address is none.
    """
    uri = _study().parameters.tracking.uri
    return server_of(uri.get_secret_value() if uri is not None else None, os.environ, project / DATABASE)


def _study() -> Any:
    from retrieval_vs_diffusion.world import current_study

    return current_study()
