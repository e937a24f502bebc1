"""Work that needs no model: it squares numbers, and says where and how often."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from retrieval_vs_diffusion.executors.units import Unit, Work
from retrieval_vs_diffusion.unfinished import BrokenUnitError, Section


@dataclass(frozen=True)
class Squares(Work[int]):
    """Squares a unit's number.

    Args:
        log: a file to which each try of a unit adds a line: its number, the process and the machine.
        seconds: that a unit takes.
        deadly: unit at which the process is killed.
        times: how often it is.
        error: what is raised at the deadly unit instead.
    """

    log: Path
    seconds: float = 0.0
    deadly: int | None = None
    times: int = 1
    error: Exception | None = None

    def make(self, units: Iterable[Unit], kept: Section) -> Generator[int, None, None]:
        for unit in units:
            with self.log.open("a") as file:
                file.write(f"{unit.number} {os.getpid()} {_machine()}\n")
            if unit.number == self.deadly and self.tries().count(unit.number) <= self.times:
                if self.error is not None:
                    raise self.error
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(self.seconds)
            kept.keep(unit.number, partial(_write, key=unit.key, value=unit.takes**2))
            yield unit.takes**2

    def read(self, path: Path, unit: Unit) -> int:
        found = json.loads(path.read_text())
        if found["key"] != unit.key:
            raise BrokenUnitError("of something else")
        return found["value"]

    def tries(self) -> list[int]:
        """Numbers of the units that were begun, in the order of time."""
        return [int(line.split()[0]) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def machines(self) -> list[str]:
        """The machine of each try."""
        return [line.split()[2] for line in self.log.read_text().splitlines()] if self.log.exists() else []


def units_of(count: int) -> list[Unit]:
    return [Unit(number, f"the square of {number}", number) for number in range(count)]


def squares(count: int) -> list[int]:
    return [number**2 for number in range(count)]


def _write(path: Path, key: str, value: int) -> None:
    path.write_text(json.dumps({"key": key, "value": value}))


def _machine() -> str:
    ray = sys.modules.get("ray")  # not imported: it would read its settings before the cluster's are made
    return ray.get_runtime_context().get_node_id() if ray is not None and ray.is_initialized() else "here"
