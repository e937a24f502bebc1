"""Several new processes of this machine that work on one thing: what they tell, and what becomes of them.

They are spawned, not forked: a fork has no use of CUDA, nor of threads, that its parent had begun to use. Each has a
pipe of its own to the process that started them: one that is killed in the middle of a word holds nobody up, as it
could with a queue that all share.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import logging.handlers
import multiprocessing
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from retrieval_vs_diffusion.errors import UserError, find_user_error

_PR_SET_PDEATHSIG = 1  # of prctl(2)
_LOGGERS = ("", "retrieval_vs_diffusion")  # whose levels new processes take over
_SECONDS_TO_END = 5.0  # for the others, once one has failed; they may have failed first, and tell of it


@dataclass(frozen=True)
class _Failure:
    """What a process raised; ``when`` is by the machine's monotonic clock."""

    when: float
    said: str
    is_mendable: bool
    traceback: str


class _TracebackError(Exception):
    """The traceback of another process, as the cause of what is raised here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def run_together(
    work: Callable[..., None], processes: int, *arguments: Any, grace: float = _SECONDS_TO_END
) -> Generator[Any]:
    """Run a function in several new processes, and end when all have ended; close the generator to end them all.

    Their log lines become this process's. Ctrl-C reaches this process alone; if it ends, however that is, so do they.

    Args:
        work: of a module; takes its number, a function that tells this process something, and ``arguments``.
        processes: how many.
        arguments: can be pickled.
        grace: seconds for which the others may go on when one has failed.

    Yields:
        What they tell, in the order in which it arrives.

    Raises:
        UserError: if one of them raised one, or was killed.
        RuntimeError: if one of them raised something else: the first one that did, with its traceback as the cause.
    """
    context = multiprocessing.get_context("spawn")
    resource_tracker.ensure_running()  # before signals are blocked, which it would end
    levels = {name: logging.getLogger(name).getEffectiveLevel() for name in _LOGGERS}
    started: list[Any] = []
    failures: dict[int, _Failure] = {}
    ends: dict[Connection, int] = {}
    try:
        for rank in range(processes):
            receiving, sending = context.Pipe(duplex=False)
            about = (work, rank, sending, os.getpid(), levels, arguments)
            process = context.Process(target=_begin, args=about, daemon=True)
            with _unborn_to_ctrl_c():
                process.start()
            started.append(process)
            sending.close()
            ends[receiving] = rank
        deadline: float | None = None
        while ends:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = wait(list(ends), left)
            if not ready:
                break
            for connection in map(_as_connection, ready):
                rank = ends[connection]
                try:
                    told = connection.recv()
                except (EOFError, OSError):  # in the middle of a word, too
                    del ends[connection]
                    started[rank].join()
                    if started[rank].exitcode:
                        deadline = deadline or time.monotonic() + grace
                    continue
                if isinstance(told, _Failure):
                    failures[rank] = told
                elif isinstance(told, logging.LogRecord):
                    logging.getLogger(told.name).handle(told)
                else:
                    yield told
        if deadline is not None:
            _raise_the_cause(failures, {rank: each.exitcode for rank, each in enumerate(started)})
    finally:
        _end(started)


def _as_connection(ready: Any) -> Connection:
    return ready


def _raise_the_cause(failures: dict[int, _Failure], exits: dict[int, int | None]) -> None:
    """Raise what was first: when one process ends, the others fail for want of it.

    A process that was killed tells nothing. SIGABRT is what a library ends a process with that lost another.
    """
    in_order = sorted(failures, key=lambda rank: failures[rank].when)
    mendable = [rank for rank in in_order if failures[rank].is_mendable]
    if mendable:
        raise UserError(failures[mendable[0]].said)
    killed = [rank for rank, code in exits.items() if code and code < 0 and rank not in failures]
    killed.sort(key=lambda rank: exits[rank] == -signal.SIGABRT)
    if killed and (not in_order or exits[killed[0]] != -signal.SIGABRT):
        name = signal.Signals(-(exits[killed[0]] or 0)).name
        raise UserError(
            f"process {killed[0] + 1} of {len(exits)} was ended by {name}, perhaps for want of memory; the same "
            "command goes on from here, with a lower compute.processes if need be"
        )
    if in_order:
        failure = failures[in_order[0]]
        place = f"in process {in_order[0] + 1} of {len(exits)}"
        raise RuntimeError(f"{failure.said} ({place})") from _TracebackError(failure.traceback)
    ended = ", ".join(f"{rank + 1} with {code}" for rank, code in exits.items() if code)
    raise RuntimeError(f"of {len(exits)} processes these ended without a word: {ended}")


def _end(started: list[Any]) -> None:
    for process in started:
        if process.is_alive():
            process.terminate()
    for process in started:
        process.join(_SECONDS_TO_END)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()


@contextlib.contextmanager
def _unborn_to_ctrl_c() -> Iterator[None]:
    """Start processes that a terminal's Ctrl-C does not reach, from their first moment; here it waits meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(
    work: Callable[..., None],
    rank: int,
    connection: Connection,
    parent: int,
    levels: dict[str, int],
    arguments: tuple[Any, ...],
) -> None:
    """What a new process does."""
    end_with_parent(parent)
    channel = _Channel(connection)
    logging.getLogger().handlers = [_ThroughChannel(channel)]
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        work(rank, channel.send, *arguments)
    except Exception as error:
        mendable = find_user_error(error)
        said = str(mendable) if mendable else f"{type(error).__name__}: {error}"
        channel.send(_Failure(time.monotonic(), said, mendable is not None, traceback.format_exc()))
        os._exit(1)  # at once: what waits for others in a destructor would wait for ever


class _Channel:
    """A pipe that several threads may use."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._lock = connection, threading.Lock()

    def send(self, told: Any) -> None:
        with self._lock:
            self._connection.send(told)


class _ThroughChannel(logging.handlers.QueueHandler):
    """Has another process write what this one logs."""

    def __init__(self, channel: _Channel) -> None:
        super().__init__(queue.SimpleQueue())  # never used
        self._channel = channel

    def enqueue(self, record: logging.LogRecord) -> None:
        self._channel.send(record)


def end_with_parent(parent: int | None = None) -> None:
    """Have Linux end this process when the one that started it does, however it ends: nobody would stop it else.

    Args:
        parent: id of that process, where it may have ended already.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent is not None and os.getppid() != parent:
        os._exit(1)
