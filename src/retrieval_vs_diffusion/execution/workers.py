"""Worker processes that run a pipeline's nodes side by side.

Every artifact is in the catalog, so a worker needs the name of a node and nothing else: it loads the
inputs, runs the node and saves the outputs. Small models keep one core busy each; two threads of one
small model are slower than two models.
"""

from __future__ import annotations

import contextlib
import contextvars
import errno
import logging
import logging.handlers
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from kedro.framework.hooks.manager import _NullPluginManager
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner.task import Task

from retrieval_vs_diffusion import progress
from retrieval_vs_diffusion.errors import UserError, find_user_error
from retrieval_vs_diffusion.execution.claims import SECONDS_BETWEEN_TRIES, Claim, Claims
from retrieval_vs_diffusion.execution.devices import has_gpu
from retrieval_vs_diffusion.execution.new_processes import end_with_parent
from retrieval_vs_diffusion.unfinished import kept_in

# Nodes a worker that wait in the pool beside the one that runs: while this process tracks and records what is finished,
# which takes seconds where MLflow makes its database, workers go on by themselves.
_WAITING_IN_POOL = 1
# What forked workers inherit: the nodes by name and the catalog of the run.
_nodes: dict[str, Node] = {}
_catalog: Any = None
# A worker's thread that runs its nodes. Each thread that uses OpenMP (libgomp) has helpers of its own. The first thread
# of a fork is a copy of the one that forked: where that one had used PyTorch, FAISS or scikit-learn, it would wait for
# ever for helpers that were not forked. A new thread starts new ones.
_thread: ThreadPoolExecutor | None = None
_LEAST_CUT = 100  # characters; a log line that is no longer is not what is too large


def number_of_workers(asked: int, processes: int = 1) -> int:
    """How many workers run nodes side by side; 1 means that nodes run in this process.

    Args:
        asked: 0 for one for each core. With a GPU, and where processes cannot be forked, it is 1.
        processes: that a worker trains with; where so many are asked for, cores are shared out among them.
    """
    if asked:
        return asked
    if has_gpu() or not sys.platform.startswith("linux"):
        return 1
    return max(1, len(os.sched_getaffinity(0)) // max(1, processes))


def run_side_by_side(
    pipeline: Pipeline, catalog: Any, workers: int, claims: Claims
) -> Generator[tuple[Node, float | Exception | None]]:
    """Run a pipeline's nodes in worker processes, each as soon as what it needs is made.

    A node that fails takes with it those that need what it makes; all others go on. One that another run makes is
    waited for while others run.

    Args:
        pipeline: the nodes.
        catalog: the run's catalog.
        workers: how many processes.
        claims: which nodes this run may make.

    Yields:
        Each node when its outputs are saved, with the seconds that it took, or with what it raised; None where another
        run has made it.

    Raises:
        UserError: if a worker died, e.g. for want of memory.
    """
    global _catalog
    _nodes.update({node.name: node for node in pipeline.nodes})
    _catalog = catalog
    waiting = list(pipeline.nodes)
    needed = {node: set(before) for node, before in pipeline.node_dependencies.items()}
    running: dict[Future[float], Node] = {}
    done: set[Node] = set()
    context = multiprocessing.get_context("fork")
    with _dead_workers_told(running, workers), _log_lines() as lines, _pool(context, workers, lines) as pool:
        while waiting or running:
            taken = 0
            for node in [node for node in waiting if needed[node] <= done]:
                if len(running) >= workers * (1 + _WAITING_IN_POOL):
                    break
                try:
                    claim = claims.ask(node)
                except UserError as error:
                    waiting = [each for each in waiting if each not in {node, *needing(pipeline, node)}]
                    yield node, error
                    continue
                if claim is Claim.TAKEN:
                    taken += 1
                    continue
                waiting.remove(node)
                if claim is Claim.MADE:
                    done.add(node)
                    yield node, None
                else:
                    running[pool.submit(_run_node, node.name, claims.unfinished_folder(node))] = node
            if not running:
                time.sleep(SECONDS_BETWEEN_TRIES if taken else 0)
                continue
            finished, _ = wait(running, SECONDS_BETWEEN_TRIES if taken else None, FIRST_COMPLETED)
            for future in finished:
                try:
                    seconds = future.result()
                except BrokenProcessPool:
                    raise  # while this node is among those that run
                except Exception as error:
                    node = running.pop(future)
                    waiting = [each for each in waiting if each not in needing(pipeline, node)]
                    yield node, error
                else:
                    node = running.pop(future)
                    done.add(node)
                    yield node, seconds


def needing(pipeline: Pipeline, node: Node) -> set[Node]:
    """All nodes of a pipeline that need what a node makes, directly or not."""
    return set(pipeline.from_nodes(node.name).nodes) - {node}


@contextlib.contextmanager
def _dead_workers_told(running: dict[Future[float], Node], workers: int) -> Iterator[None]:
    """Say what ran when a worker died; the pool tells of it by a node that ran, or refuses the next one."""
    try:
        yield
    except BrokenProcessPool as error:
        at_work = [each.name for each in running.values()][:workers]  # begun in the order in which they came
        when = f" while {' and '.join(at_work)} ran" if at_work else ""
        raise UserError(f"a worker died{when}, perhaps for want of memory; lower `workers`") from error


@contextlib.contextmanager
def _pool(context: Any, workers: int, lines: socket.socket) -> Iterator[ProcessPoolExecutor]:
    """A pool whose pending work is dropped when anything goes wrong."""
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(lines,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _log_lines() -> Iterator[socket.socket]:
    """A socket through which workers log; this process prints, so that lines and bars do not collide.

    A line is a datagram, which the kernel takes whole or not at all. Of a queue that all share, a worker may have the
    lock when it is killed; the others would wait for it, and so would the end of the run.
    """
    receiving, sending = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with receiving, sending:
        for each in (receiving, sending):
            each.settimeout(None)  # whatever default a library may have set
        largest = sending.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        printing = threading.Thread(target=_print, args=(receiving, largest, [*logging.root.handlers]), daemon=True)
        printing.start()
        try:
            yield sending
        finally:
            sending.send(b"")  # after all lines: workers have ended
            printing.join()


def _print(lines: socket.socket, largest: int, handlers: list[logging.Handler]) -> None:
    """Print lines until an empty one; workers wait where this stops, so that no line may end it."""
    while line := lines.recv(largest):
        try:
            record = pickle.loads(line)  # noqa: S301  (what a worker pickled)
            for handler in handlers:
                handler.handle(record)
        except Exception:
            traceback.print_exc()


class _ThroughSocket(logging.handlers.QueueHandler):
    """Has the process at a socket's other end print what this one logs."""

    queue: Any  # the socket

    def enqueue(self, record: logging.LogRecord) -> None:
        while True:
            try:
                self.queue.send(pickle.dumps(record))
                return
            except OSError as error:
                if error.errno != errno.EMSGSIZE or len(record.msg) <= _LEAST_CUT:
                    raise
            record.msg = record.message = f"{record.msg[: len(record.msg) // 2]} ..."


def _start_worker(lines: Any) -> None:
    global _thread
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all: the process that the user started tells of it
    logging.getLogger().handlers = [_ThroughSocket(lines)]
    progress.use_lines()
    _thread = ThreadPoolExecutor(1, "nodes")


def _run_node(name: str, unfinished_folder: Path | None) -> float:
    """Have the worker's thread make one node, in the context that the run was started in; returns its seconds."""
    assert _thread is not None  # noqa: S101  (a worker's)
    return _thread.submit(contextvars.copy_context().run, _make_node, name, unfinished_folder).result()


def _make_node(name: str, unfinished_folder: Path | None) -> float:
    """Load, run and save one node; returns the seconds that it took."""
    started = time.perf_counter()
    try:
        with progress.heartbeat(name), kept_in(unfinished_folder):
            nobody: Any = _NullPluginManager()  # hooks run in the process that the user started
            Task(node=_nodes[name], catalog=_catalog, hook_manager=nobody, is_async=False).execute()
    except Exception as error:
        mendable = find_user_error(error)
        if mendable is not None:  # what caused an error does not come through to the other process
            raise UserError(str(mendable)) from None
        if not _comes_through(error):
            raise RuntimeError(f"{type(error).__name__}: {error}") from None
        raise
    return time.perf_counter() - started


def _comes_through(error: Exception) -> bool:
    """Whether another process can read the error; one that it cannot read looks there like the worker's death."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  (what was pickled just now)
    except Exception:
        return False
    return True
