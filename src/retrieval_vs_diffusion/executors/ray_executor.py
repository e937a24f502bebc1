"""Units made by the actors of a Ray cluster: Ray Data schedules, streams and holds back; we count and read."""

from __future__ import annotations

import contextlib
import logging
import pickle
import secrets
import tempfile
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.executors.ray_actor import TOKEN, FolderNotSharedError, Report, UnitMaker
from retrieval_vs_diffusion.executors.ray_cluster import connect
from retrieval_vs_diffusion.executors.ray_resources import actors_for
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.executors.units import Unit, Work
from retrieval_vs_diffusion.models.cost_meter import spent_elsewhere
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.unfinished import Section

logger = logging.getLogger(__name__)
T = TypeVar("T")
_SHARE = "the project's data folder must be on a file system that all machines of the cluster share"
_SECONDS_BETWEEN_LOOKS = (0.1, 1.0, 5.0, 30.0)
_MOST_IN_A_TASK = 16  # units
_TASKS_AN_ACTOR = 4  # at least, so that no actor ends long before the others
_RESTARTS = 3  # of an actor, until the run ends


def _nothing() -> None:
    """Of a function that has a name: actors are sent it."""


class RayExecutor:
    """Sends units to actors, and reads what they kept in the folder of the units, which all machines share.

    Args:
        settings: how the cluster is used.
        address: of the cluster.
        scratch: a folder on the shared file system, for units that nobody keeps.
        set_up: called once in each actor, for what this process has set for itself, such as how stores are reached.
    """

    def __init__(
        self, settings: RaySettings, address: str, scratch: Path | None = None, set_up: Callable[[], None] = _nothing
    ) -> None:
        self._settings, self._address, self._scratch, self._set_up = settings, address, scratch, set_up

    def run(self, work: Work[T], units: Sequence[Unit], kept: Section, description: str) -> Iterator[T]:
        """As ``Executor`` says; also

        Raises:
            UserError: if there is no cluster, its machines do not see the folder, or its workers die again and again.
        """
        with self._shared(kept) as shared:
            yield from progress(self._values(work, units, shared), description, len(units))

    @contextlib.contextmanager
    def _shared(self, kept: Section) -> Iterator[Section]:
        """The section itself, or one that is gone afterwards."""
        if kept.is_kept:
            yield kept
            return
        if self._scratch is not None:
            self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".units_", dir=self._scratch) as folder:
            yield Section(Path(folder))

    def _values(self, work: Work[T], units: Sequence[Unit], kept: Section) -> Iterator[T]:
        position = 0
        for unit in units:  # what a run before has made
            value = kept.find(unit.number, partial(work.read, unit=unit))
            if value is None:
                break
            position += 1
            yield value
        rest = units[position:]
        if not rest:
            return
        work.before_leaving(rest)
        made: set[int] = set()
        with contextlib.closing(self._reports(work, rest, kept)) as reports:
            for unit in rest:
                while unit.number not in made:
                    made.update(self._next(reports, kept))
                yield _arrived(work, unit, kept)

    def _next(self, reports: Iterator[Report], kept: Section) -> Sequence[int]:
        """Wait for the next task that is done; what it cost counts, and not the waiting."""
        started = time.perf_counter()
        report = next(reports)
        spent_elsewhere(report.cost, time.perf_counter() - started)
        kept.about_to_keep()
        for name, level, text in report.lines:
            logging.getLogger(name).log(level, "%s", text)
        if isinstance(report.error, FolderNotSharedError):
            raise UserError(f"{kept.folder}: the worker of Ray at {report.error} does not see this folder; {_SHARE}")
        if report.error is not None:
            raise report.error
        return report.made

    def _reports(self, work: Work[Any], units: Sequence[Unit], kept: Section) -> Generator[Report, None, None]:
        import torch

        ray = connect(self._settings, self._address)
        actors = actors_for(ray.nodes(), self._settings, torch.get_num_threads(), str(work.device))
        size = max(1, min(_MOST_IN_A_TASK, len(units) // (_TASKS_AN_ACTOR * actors.number)))
        tasks = [pickle.dumps(list(units[at : at + size])) for at in range(0, len(units), size)]
        number = min(actors.number, len(tasks))
        logger.info("Actors of Ray: %d, each with %g CPUs and %g GPUs", number, actors.cpus, actors.gpus)
        reference = ray.put(work)
        token = _marked(kept)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")  # there is no other limit to restarts
            made = ray.data.from_items([{"units": task} for task in tasks], override_num_blocks=len(tasks)).map_batches(
                UnitMaker,
                fn_constructor_args=([reference], str(kept.folder), token, torch.get_num_threads(), self._set_up),
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(min_size=1, max_size=number, initial_size=number),
                num_cpus=actors.cpus,
                num_gpus=actors.gpus,
                max_restarts=_RESTARTS,  # a task is tried as long as its actor comes back
            )
        context = made.context
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        makers: set[str] = set()
        try:
            for batch in made.iter_batches(batch_size=None, prefetch_batches=0):
                for pickled in batch["report"]:
                    report = pickle.loads(pickled)  # noqa: S301  (our own actors')
                    makers.add(report.maker)
                    if len(makers) > number:
                        number += 1
                        logger.warning("An actor of Ray died, or its machine; another one, %s, goes on", report.maker)
                    yield report
        except ray.exceptions.RayError as error:
            raise UserError(_told(error)) from error


def _arrived(work: Work[T], unit: Unit, kept: Section) -> T:
    """What a unit gave that an actor has kept; a file system over the network may show it some seconds later."""
    for seconds in (*_SECONDS_BETWEEN_LOOKS, None):
        value = kept.find(unit.number, partial(work.read, unit=unit))
        if value is not None:
            return value
        if seconds is not None:
            time.sleep(seconds)
    raise UserError(f"{kept.folder}: a worker of Ray has kept unit {unit.number}, and it is not here; {_SHARE}")


def _marked(kept: Section) -> str:
    """Write a token to the folder of the units, by which an actor sees that it is the one that we see."""
    assert kept.folder is not None  # noqa: S101  (``_shared`` gives one that is kept)
    kept.folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(16)
    (kept.folder / TOKEN).write_text(token)
    return token


def _told(error: Exception) -> str:
    said = " ".join(str(error).split())
    if "memory" in said.lower():
        remedy = "fewer actors (ray.most_actors) or machines with more memory would do"
    else:
        remedy = "Ray's logs on that machine tell more"
    return f"workers of Ray died again and again ({said[:300]}); {remedy}. What is done stays: run the command again"
