"""Seconds, memory and disk of a piece of work in this process."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_EVERY = 0.01  # seconds between two looks at the memory that is held


@dataclass(frozen=True)
class Watched:
    """What a piece of work took.

    Args:
        seconds: by the clock.
        cpu: seconds of all its threads on a processor; on a busy machine they tell more than the clock.
        peak: largest resident memory in bytes, above what was there when it began (the imports, the models).
        held: the same of memory that is no file's page: the system cannot take it back. Looked at 100 times a second.
        disk: bytes in its folder that were not there before.
    """

    seconds: float
    cpu: float
    peak: int
    held: int
    disk: int


@dataclass(frozen=True)
class NotItsOwn:
    """Seconds that a piece of work waits for what is no part of it, e.g. while what it writes is drawn."""

    seconds: float = 0.0
    cpu: float = 0.0


def watch(work: Callable[[], NotItsOwn | None], folder: Path) -> Watched:
    """Do the work and watch it.

    Args:
        work: may return what it took that is not its own.
        folder: what it writes into.
    """
    gc.collect()
    disk = bytes_in(folder)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew from here
    resident, anonymous = _status("VmRSS"), _status("RssAnon")
    most, done = [anonymous], threading.Event()

    def look() -> None:
        while not done.wait(_EVERY):
            most[0] = max(most[0], _status("RssAnon"))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    started, busy = time.perf_counter(), time.process_time()
    not_its_own = work() or NotItsOwn()
    seconds = time.perf_counter() - started - not_its_own.seconds
    busy = time.process_time() - busy - not_its_own.cpu
    done.set()
    looking.join()
    return Watched(seconds, busy, _status("VmHWM") - resident, most[0] - anonymous, bytes_in(folder) - disk)


def bytes_in(folder: Path) -> int:
    """Bytes of all files in a folder."""
    places = (os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)
    return sum(os.stat(place).st_size for place in places)


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"this system does not tell {name}; Linux does")
