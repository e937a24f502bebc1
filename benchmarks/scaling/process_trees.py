"""Processor seconds of processes and all that descend from them; on a busy machine they tell more than the clock."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

_EVERY = 0.25  # seconds between two looks


class ProcessorSeconds:
    """Watches processes while the context is open.

    What a process spends after the last look at it is missed, and one that lives shorter than that.

    Args:
        roots: process ids by name.
    """

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = roots
        # Of each process its number and when it began, to what it is called and its seconds.
        self._seen: dict[str, dict[tuple[int, int], tuple[str, float]]] = {name: {} for name in roots}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ProcessorSeconds:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def of(self, name: str) -> float:
        """Seconds of a root and its descendants, user and system."""
        return sum(self.by_process(name).values())

    def by_process(self, name: str) -> Counter[str]:
        """The same by what the processes are called, the system's 15 letters of it."""
        counted: Counter[str] = Counter()
        for called, seconds in self._seen[name].values():
            counted[called] += seconds
        return counted

    def _watch(self) -> None:
        while not self._over.wait(_EVERY):
            parents, spent = _processes()
            for name, root in self._roots.items():
                for pid, (called, started, seconds) in spent.items():
                    if _descends(pid, root, parents):
                        self._seen[name][pid, started] = called, seconds


def _descends(pid: int, root: int, parents: Mapping[int, int]) -> bool:
    while pid in parents and pid != root:
        pid = parents[pid]
    return pid == root


def _processes() -> tuple[dict[int, int], dict[int, tuple[str, int, float]]]:
    """Of every process its parent; and what it is called, when it began, and the seconds that it has spent."""
    parents, spent = {}, {}
    tick = os.sysconf("SC_CLK_TCK")
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # The name stands in brackets and may hold anything.
            before, _, after = (folder / "stat").read_text().rpartition(")")
        except OSError:  # it has ended
            continue
        fields, called = after.split(), before.partition("(")[2]
        parents[int(folder.name)] = int(fields[1])
        spent[int(folder.name)] = called, int(fields[19]), (int(fields[11]) + int(fields[12])) / tick
    return parents, spent
