"""The project's runner: makes what does not hold, keeps what does, and records what made it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from kedro.runner.task import Task

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.freshness import Freshness, is_optional
from retrieval_vs_diffusion.execution.workers import number_of_workers, run_side_by_side
from retrieval_vs_diffusion.progress import heartbeat, progress

logger = logging.getLogger(__name__)


class FreshRunner(SequentialRunner):
    """Runs the nodes whose artifacts are missing, damaged, or made of something else than now.

    ``kedro run`` uses it unless another runner is named.
    """

    def run(
        self,
        pipeline: Pipeline,
        catalog: Any,
        hook_manager: Any = None,
        run_id: str | None = None,
        only_missing_outputs: bool = False,
    ) -> dict[str, Any]:
        """Run what must run of a pipeline.

        Raises:
            UserError: if something that the pipeline starts from is missing or does not hold.
        """
        from retrieval_vs_diffusion.pipeline_registry import whole_study
        from retrieval_vs_diffusion.world import current_study

        whole = whole_study(current_study()) + pipeline
        self._freshness = Freshness(whole, catalog)
        stale = self._freshness.stale_nodes(pipeline)
        names = {node.name for node in stale}
        to_run = pipeline.filter(node_names=sorted(names)) if names else Pipeline([])
        self._check_inputs(to_run, catalog)
        kept = len(pipeline.nodes) - len(stale)
        logger.info("%d of %d steps hold and are kept; %d to run", kept, len(pipeline.nodes), len(stale))
        if not stale:
            return {}
        return super().run(to_run, catalog, hook_manager, run_id)

    def _check_inputs(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        for name in sorted(pipeline.inputs(), key=self._stage_of):  # the first stage that is missing is told
            if name.startswith("params:") or name == "parameters" or self._freshness.holds(name):
                continue
            dataset = catalog.get(name)
            if is_optional(dataset):
                catalog[name] = MemoryDataset(None)
                continue
            maker = self._freshness.maker(name)
            if maker is None:
                raise UserError(f"{name}: nothing is at {getattr(dataset, '_filepath', 'its place')}; put it there")
            changed = self._freshness.changed_inputs(name)
            state = f"was made with another {', '.join(changed)}" if changed else "is not there, or damaged"
            stage = _STAGES[self._stage_of(name)]
            raise UserError(
                f"{name} {state}; run `kedro run --pipeline={stage}` first, or plain `kedro run` for everything"
            )

    def _stage_of(self, name: str) -> int:
        """Position of the stage that makes an artifact; -1 for what no stage makes."""
        maker = self._freshness.maker(name)
        return next((number for number, stage in enumerate(_STAGES) if maker and stage in maker.tags), -1)

    def _run(self, pipeline: Pipeline, catalog: Any, hook_manager: Any = None, run_id: str | None = None) -> None:
        from retrieval_vs_diffusion.world import current_study

        workers = min(number_of_workers(current_study().parameters.workers), len(pipeline.nodes))
        made = self._in_this_process if workers == 1 else self._in_workers
        for position, (node, seconds) in enumerate(made(pipeline, catalog, workers, hook_manager, run_id), start=1):
            for output in node.outputs:
                self._freshness.write_record(output, node, seconds)
            logger.info("[%d/%d] %s (%.1f s)", position, len(pipeline.nodes), node.name, seconds)

    def _in_workers(
        self, pipeline: Pipeline, catalog: Any, workers: int, hook_manager: Any, run_id: str | None
    ) -> Iterator[tuple[Node, float]]:
        """Inputs and outputs stay in the workers: hooks are told of finished nodes without them."""
        logger.info("%d steps run side by side", workers)
        nodes = run_side_by_side(pipeline, catalog, workers)
        for node, seconds in progress(nodes, "steps", total=len(pipeline.nodes)):
            yield node, seconds
            about = {"node": node, "catalog": catalog, "inputs": {}, "outputs": {}, "is_async": False, "run_id": run_id}
            hook_manager.hook.after_node_run(**about)

    def _in_this_process(
        self, pipeline: Pipeline, catalog: Any, workers: int, hook_manager: Any, run_id: str | None
    ) -> Iterator[tuple[Node, float]]:
        del workers
        for node in pipeline.nodes:
            started = time.perf_counter()
            with heartbeat(node.name):
                Task(node=node, catalog=catalog, hook_manager=hook_manager, is_async=False, run_id=run_id).execute()
            yield node, time.perf_counter() - started


_STAGES = ("data_ingest", "index_build", "synthesize", "retrieve", "train", "evaluate", "pretrain")
