"""MLflow: a parent run for each comparison, a child for each strategy and repetition.

What is tracked is read from the artifacts, so a run that was interrupted, or a database that was
deleted, is made up for by the next run. Nodes know nothing of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from retrieval_vs_diffusion.progress import heartbeat

EXPERIMENT = "retrieval_vs_diffusion"
_COLLECT = ".collect_results"  # the node after which a strategy's repetitions are all there


class TrackingHook:
    """Tracks each strategy when its repetitions are collected, and at the end whatever was not yet."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep where the project is and what it was asked for."""
        self._project = Path(context.project_path)
        self._tracker: Any = None

    @hook_impl
    def after_node_run(self, node: Node, catalog: DataCatalog) -> None:
        """Track a strategy whose results were just collected."""
        # Kedro calls this before outputs are saved: the strategy that is tracked is the one before.
        self._track_waiting(catalog)
        if node.name.endswith(_COLLECT):
            self._waiting.append(str(node.namespace))

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Nothing waits at the start."""
        self._waiting: list[str] = []

    @hook_impl
    def on_pipeline_error(self, catalog: DataCatalog) -> None:
        """Track what was whole before the error."""
        self._track_waiting(catalog)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Track every strategy of the pipeline that is not yet, and the comparison itself."""
        self._waiting = [str(node.namespace) for node in pipeline.nodes if node.name.endswith(_COLLECT)]
        compared = "comparison.leaderboard" in pipeline.all_outputs()
        if self._waiting:
            self._track_waiting(catalog)
            if compared:
                self._comparison().log_report(catalog)
        if "tuning.trials" in pipeline.all_outputs():
            self._track_tuning(catalog)
        if self._tracker is not None:
            self._tracker.finish()

    def _track_waiting(self, catalog: DataCatalog) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            with heartbeat("writing to MLflow"):
                for strategy in waiting:
                    self._comparison().log_strategy(strategy, catalog)

    def _track_tuning(self, catalog: DataCatalog) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from retrieval_vs_diffusion.execution.freshness import path_of
        from retrieval_vs_diffusion.mlflow_tuning import log_tuning
        from retrieval_vs_diffusion.world import current_study

        trials = catalog["tuning.trials"]
        with heartbeat("writing to MLflow"):
            log_tuning(self._project, current_study().parameters.world, trials.load(), Path(str(path_of(trials))))

    def _comparison(self) -> Any:
        if self._tracker is None:
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            from retrieval_vs_diffusion.mlflow_comparison import MlflowComparison
            from retrieval_vs_diffusion.world import current_study

            self._tracker = MlflowComparison(self._project, current_study())
        return self._tracker
