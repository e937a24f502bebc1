"""The project's runner: makes what does not hold, keeps what does, and records what made it."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Generator
from typing import Any

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from kedro.runner.task import Task

from retrieval_vs_diffusion.errors import UserError, find_user_error
from retrieval_vs_diffusion.execution.artifact_lock import alone_with
from retrieval_vs_diffusion.execution.claims import Claim, Claims
from retrieval_vs_diffusion.execution.executing import executing
from retrieval_vs_diffusion.execution.freshness import Freshness, path_of
from retrieval_vs_diffusion.execution.inputs import check_inputs
from retrieval_vs_diffusion.execution.workers import needing, number_of_workers, run_side_by_side
from retrieval_vs_diffusion.progress import heartbeat, progress
from retrieval_vs_diffusion.unfinished import kept_in

logger = logging.getLogger(__name__)


class FreshRunner(SequentialRunner):
    """Runs the nodes whose artifacts are missing, damaged, or made of something else than now.

    A step that fails takes with it those that need what it makes; all others go on, the leaderboard is
    brought up to date, and then the run ends with the error. ``kedro run`` uses it unless another runner
    is named.
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
        from retrieval_vs_diffusion.world import current_study, project_root
        from retrieval_vs_diffusion.world_parts import told

        self._whole = whole_study(current_study()) + pipeline
        self._asked, self._done, self._total = pipeline, 0, 0
        self._replaced: dict[str, Any] = {}  # datasets of optional inputs that do not hold
        self._freshness = Freshness(self._whole, catalog)
        stale = self._freshness.stale_nodes(pipeline)
        names = {node.name for node in stale}
        to_run = pipeline.filter(node_names=sorted(names)) if names else Pipeline([])
        self._replaced |= check_inputs(to_run, catalog, self._freshness)
        self._total = len(stale)
        kept = len(pipeline.nodes) - len(stale)
        for line in told(current_study().missing):
            logger.info("Strategies %s", line)
        logger.info("%d of %d steps hold and are kept; %d to run", kept, len(pipeline.nodes), len(stale))
        Claims(self._freshness).clear(node for node in pipeline.nodes if node.name not in names)
        if not stale:
            return {}
        try:
            with executing(current_study().parameters, project_root()):
                return super().run(to_run, catalog, hook_manager, run_id)
        except _StepsFailedError as failure:
            self._compare_the_others(pipeline, catalog, hook_manager, run_id)
            name, error = next(iter(failure.failed.items()))
            if find_user_error(error) is None:
                raise error from error.__cause__  # its traceback is wanted, and the worker's stands in the cause
            more = f" (and {len(failure.failed) - 1} more steps failed, see above)" if len(failure.failed) > 1 else ""
            raise UserError(f"{name}: {_reason(error)}{more}; everything that does not need it is done") from error

    def _compare_the_others(self, pipeline: Pipeline, catalog: Any, hook_manager: Any, run_id: str | None) -> None:
        """Bring the leaderboard up to date with the strategies that came through."""
        from retrieval_vs_diffusion.pipelines.evaluate.pipeline import COMPARISON

        comparison = Pipeline([node for node in pipeline.nodes if node.namespace == COMPARISON])
        now = Freshness(self._whole, catalog)
        if any(now.holds(name) for name in comparison.inputs() if name.endswith(".results")):
            logger.addFilter(_is_no_success)
            try:
                with contextlib.suppress(UserError):  # what failed is told, not what follows from it
                    self.run(comparison, catalog, hook_manager, run_id)
            finally:
                logger.removeFilter(_is_no_success)

    def _run(self, pipeline: Pipeline, catalog: Any, hook_manager: Any = None, run_id: str | None = None) -> None:
        """Make the rows, then compare them.

        Comparing is one run's at a time: its tables depend on which rows a run chose, and must not be mixed.
        """
        comparing = self._comparing()
        to_compare = [node for node in pipeline.nodes if node in comparing]
        rows = Pipeline([node for node in pipeline.nodes if node not in comparing])
        self._make(rows, catalog, hook_manager, run_id)
        if to_compare:
            place = path_of(catalog.get(to_compare[0].outputs[0]))
            with alone_with(place.with_name("comparison"), "comparing rows") if place else contextlib.nullcontext():
                self._look_again(catalog)
                stale = Pipeline(self._freshness.stale_nodes(Pipeline(comparing)))
                self._replaced |= check_inputs(stale, catalog, self._freshness)
                self._total += len(stale.nodes) - len(to_compare)
                self._make(stale, catalog, hook_manager, run_id)

    def _look_again(self, catalog: Any) -> None:
        """See what holds by now: another run may have made rows and compared them meanwhile."""
        for name, dataset in self._replaced.items():
            catalog[name] = dataset
        self._replaced.clear()
        self._freshness = Freshness(self._whole, catalog)

    def _comparing(self) -> list[Node]:
        """The steps of this command that compare rows."""
        from retrieval_vs_diffusion.pipelines.evaluate.pipeline import COMPARISON

        def is_of_rows(name: str) -> bool:
            maker = self._freshness.maker(name)
            return maker is not None and maker.namespace is not None

        compare = [node for node in self._asked.nodes if node.namespace == COMPARISON]
        of_rows = [node.name for node in compare if any(map(is_of_rows, node.inputs))]
        if not of_rows:
            return []
        return [node for node in self._asked.from_nodes(*of_rows).nodes if node.namespace == COMPARISON]

    def _make(self, pipeline: Pipeline, catalog: Any, hook_manager: Any, run_id: str | None) -> None:
        """Make all steps of a pipeline but those that another run makes meanwhile.

        Raises:
            _StepsFailedError: if steps failed, when the others are done.
        """
        from retrieval_vs_diffusion.images.decoded_store import decoded_in
        from retrieval_vs_diffusion.world import current_study, project_root

        if not pipeline.nodes:
            return
        given = current_study().parameters
        workers = min(number_of_workers(given.workers, given.compute.processes), len(pipeline.nodes))
        made = self._in_this_process if workers == 1 else self._in_workers
        failed: dict[str, Exception] = {}
        claims = Claims(self._freshness)
        with (
            contextlib.closing(claims),
            decoded_in(project_root() / given.decoded.folder, int(given.decoded.at_most_gb * 1e9)),  # also in workers
            contextlib.closing(made(pipeline, catalog, workers, claims, hook_manager, run_id)) as outcomes,
        ):
            for node, outcome in outcomes:
                self._done += 1
                if isinstance(outcome, Exception):
                    claims.release(node)
                    known = _reason(outcome) in map(_reason, failed.values())
                    told = "for the same reason" if known else f"and what needs it is left out. {_reason(outcome)}"
                    logger.error("%s failed %s", node.name, told)
                    failed[node.name] = outcome
                elif outcome is not None:
                    for output in node.outputs:
                        self._freshness.write_record(output, node, outcome)
                    claims.done(node)
                    claims.release(node)
                    logger.info("[%d/%d] %s (%.1f s)", self._done, self._total, node.name, outcome)
        if failed:
            raise _StepsFailedError(failed)

    def _in_workers(
        self, pipeline: Pipeline, catalog: Any, workers: int, claims: Claims, hook_manager: Any, run_id: str | None
    ) -> Generator[tuple[Node, float | Exception | None]]:
        """Inputs and outputs stay in the workers: hooks are told of finished nodes without them."""
        logger.info("%d steps run side by side", workers)
        # Closed also where a hook raises: the workers would wait for ever, and the command with them.
        with contextlib.closing(run_side_by_side(pipeline, catalog, workers, claims)) as nodes:
            for node, outcome in progress(nodes, "steps", total=len(pipeline.nodes)):
                yield node, outcome
                if isinstance(outcome, float):
                    about = {"node": node, "catalog": catalog, "inputs": {}, "outputs": {}, "is_async": False}
                    hook_manager.hook.after_node_run(**about, run_id=run_id)

    def _in_this_process(
        self, pipeline: Pipeline, catalog: Any, workers: int, claims: Claims, hook_manager: Any, run_id: str | None
    ) -> Generator[tuple[Node, float | Exception | None]]:
        del workers
        dropped: set[Node] = set()
        for node in pipeline.nodes:
            if node in dropped:
                continue
            started = time.perf_counter()
            try:
                with heartbeat(node.name):
                    claim = claims.wait(node)
                    if claim is Claim.MADE:
                        yield node, None
                        continue
                    with kept_in(claims.unfinished_folder(node)):
                        Task(
                            node=node, catalog=catalog, hook_manager=hook_manager, is_async=False, run_id=run_id
                        ).execute()
            except Exception as error:
                dropped |= needing(pipeline, node)
                yield node, error
            else:
                yield node, time.perf_counter() - started


class _StepsFailedError(Exception):
    """Some steps failed, and everything that does not need them was done."""

    def __init__(self, failed: dict[str, Exception]) -> None:
        super().__init__(failed)
        self.failed = failed


def _is_no_success(record: logging.LogRecord) -> bool:
    """Keep Kedro from saying of the comparison that "the pipeline" completed successfully, where steps failed."""
    return "completed successfully" not in record.getMessage()


def _reason(error: Exception) -> str:
    return str(find_user_error(error) or repr(error))
