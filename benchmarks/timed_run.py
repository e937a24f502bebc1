"""The ``kedro`` command with a clock around every step's own work, in whichever process it runs.

    python -m benchmarks.timed_run LEDGER run [what `kedro run` takes]

Nothing of the project is changed: Kedro's ``Node.run``, embeddings that a step gives out as a stream and makes while
they are saved, and Python's loading of modules are timed from outside. LEDGER gets a JSON line a step: its name, process, when its function began and ended (seconds of the system's monotonic clock,
which all processes share) and for how many of these it loaded modules; and at the end one of the main process.
"""

from __future__ import annotations

import atexit
import importlib._bootstrap as loading  # type: ignore[import-not-found]
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

_of_thread = threading.local()


def main(ledger: Path, arguments: list[str]) -> None:
    """Run ``kedro`` with arguments, writing down what its steps took."""
    time_imports()
    time_steps(ledger)
    time_streams(ledger)
    owner = os.getpid()
    at_first_fork: list[float] = []

    def before_fork() -> None:
        if os.getpid() == owner and not at_first_fork:
            at_first_fork.append(time.process_time())

    def at_exit() -> None:
        if os.getpid() == owner:
            beside = time.process_time() - at_first_fork[0] if at_first_fork else 0.0
            _write(ledger, {"main": owner, "cpu": time.process_time(), "cpu_beside_steps": beside})

    os.register_at_fork(before=before_fork)
    atexit.register(at_exit)
    from kedro.framework.cli import main as kedro

    sys.argv = ["kedro", *arguments]
    kedro()


def time_imports() -> None:
    """Add up the seconds in which a thread loads modules; one that is loaded already costs nothing here."""
    find_and_load = loading._find_and_load

    def timed(*names: Any) -> Any:
        if getattr(_of_thread, "loads", False):  # for another module, whose time counts already
            return find_and_load(*names)
        _of_thread.loads, started = True, time.perf_counter()
        try:
            return find_and_load(*names)
        finally:
            _of_thread.loads = False
            _of_thread.seconds = getattr(_of_thread, "seconds", 0.0) + time.perf_counter() - started

    loading._find_and_load = timed


def time_steps(ledger: Path) -> None:
    """Write down of each step of Kedro's when its function ran."""
    from kedro.pipeline.node import Node

    run = Node.run

    def timed(node: Node, *inputs: Any, **named: Any) -> Any:
        loaded_before = getattr(_of_thread, "seconds", 0.0)
        started = time.monotonic()
        try:
            return run(node, *inputs, **named)
        finally:
            _write_step(ledger, node.name, started, loaded_before)

    Node.run = timed  # type: ignore[method-assign]


def time_streams(ledger: Path) -> None:
    """Write down when each batch of embeddings was made: it is a step's work, done when its output is saved."""
    from retrieval_vs_diffusion.models.embeddings import EmbeddingStream

    batches = EmbeddingStream.__iter__

    def timed(stream: EmbeddingStream) -> Any:
        source = batches(stream)
        while True:
            started, loaded_before = time.monotonic(), getattr(_of_thread, "seconds", 0.0)
            batch = next(source, None)
            _write_step(ledger, "embedding", started, loaded_before)
            if batch is None:
                return
            yield batch

    EmbeddingStream.__iter__ = timed  # type: ignore[method-assign]


def _write_step(ledger: Path, name: str, started: float, loaded_before: float) -> None:
    loaded = getattr(_of_thread, "seconds", 0.0) - loaded_before
    step = {"step": name, "process": os.getpid(), "began": started, "ended": time.monotonic(), "loaded": loaded}
    _write(ledger, step)


def _write(ledger: Path, line: dict[str, Any]) -> None:
    """In one write, so that lines of several processes do not mix."""
    descriptor = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, (json.dumps(line) + "\n").encode())
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
