"""What runs in an actor of Ray: it makes the units of a step that it is sent, and says what that cost."""

from __future__ import annotations

import logging
import os
import pickle
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.executors.executor import make_missing
from retrieval_vs_diffusion.executors.units import Unit, Work
from retrieval_vs_diffusion.models.cost_meter import Cost, CostMeter
from retrieval_vs_diffusion.unfinished import Section

TOKEN = "shared.token"  # noqa: S105  (the name of a file by which a folder is known again)


@dataclass(frozen=True)
class Report:
    """What an actor did of what it was sent.

    Args:
        maker: the machine and process of the actor.
        made: numbers of the units that are there now.
        cost: of making them.
        error: what ended it; None where all are made.
        lines: what was logged: logger, level and text.
    """

    maker: str
    made: Sequence[int]
    cost: Cost
    error: Exception | None = None
    lines: Sequence[tuple[str, int, str]] = ()


class FolderNotSharedError(Exception):
    """The folder of the units is not the one that the driver sees."""


class UnitMaker:
    """Makes units of one work; the model comes with the first of them, and stays.

    Args:
        work: a list with a reference to the pickled work: alone, Ray would take it for an argument to wait for.
        folder: of the units, on a file system that all machines share.
        token: what the driver wrote there.
        threads: of torch; the last bits depend on it.
        set_up: called first, for what the driver set for its whole process.
    """

    def __init__(self, work: list[Any], folder: str, token: str, threads: int, set_up: Callable[[], None]) -> None:
        self._reference, self._folder, self._token, self._threads = work[0], Path(folder), token, threads
        self._set_up = set_up
        self._work: Work[Any] | None = None
        self._open = ExitStack()
        self._flops: Any = None
        self._lines = _Lines()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """Reports of the tasks of a batch of Ray Data; each is a pickled list of units."""
        return {"report": [self._report(pickle.loads(task)) for task in batch["units"]]}  # noqa: S301  (the driver's)

    def _report(self, units: list[Unit]) -> bytes:
        made: list[int] = []
        cost = Cost()
        error: Exception | None = None
        try:
            work = self._ready()
            before = self._counted()
            with CostMeter(work.device) as meter:
                try:
                    for unit, _ in zip(units, make_missing(work, iter(units), Section(self._folder)), strict=True):
                        made.append(unit.number)
                except Exception as raised:  # the cost is told all the same
                    error = raised
            cost = meter.cost(self._counted() - before)
        except Exception as raised:
            error = raised
        maker = f"{socket.gethostname()}:{os.getpid()}"
        return pickle.dumps(Report(maker, made, cost, error and _sendable(error), self._lines.taken()))

    def _ready(self) -> Work[Any]:
        if self._work is None:
            import ray  # here: the driver imports this module before Ray's settings are made

            token = self._folder / TOKEN
            if not token.is_file() or token.read_text() != self._token:
                raise FolderNotSharedError(ray.util.get_node_ip_address())
            os.environ["OMP_NUM_THREADS"] = str(self._threads)  # what torch takes if it is imported later than here
            self._set_up()
            self._work = ray.get(self._reference)
            if "torch" in sys.modules:
                sys.modules["torch"].set_num_threads(self._threads)
            if self._work.counted is not None:
                from retrieval_vs_diffusion.models.flops import CountedFlops

                self._flops = self._open.enter_context(CountedFlops(self._work.counted))
        return self._work

    def _counted(self) -> int:
        """The operations so far; 0 and a line where they cannot be counted."""
        try:
            return self._flops.total if self._flops is not None else 0
        except RuntimeError as error:
            logging.getLogger(__name__).warning("FLOPs of the diffusion model are missing from the costs: %s", error)
            return 0


class _Lines(logging.Handler):
    """What our own code logs in an actor, to be shown where the user looks."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._kept: list[tuple[str, int, str]] = []
        logging.getLogger("retrieval_vs_diffusion").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append((record.name, record.levelno, record.getMessage()))

    def taken(self) -> list[tuple[str, int, str]]:
        kept, self._kept = self._kept, []
        return kept


def _sendable(error: Exception) -> Exception:
    """The error where pickle can bring it over, with the actor's traceback as a note; else its words."""
    if not isinstance(error, UserError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  (what was pickled just now)
    except Exception:
        return RuntimeError("".join(traceback.format_exception(error)))
    return error
