"""Work whose model sleeps, as one on a GPU would leave the machine's cores alone; it says when and where."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from retrieval_vs_diffusion.executors.units import Unit, Work
from retrieval_vs_diffusion.unfinished import BrokenUnitError, Section


@dataclass(frozen=True)
class Slept:
    """A unit that was made.

    Args:
        machine: on which.
        begun: seconds since 1970.
        done: the same, when it was kept.
    """

    machine: str
    begun: float
    done: float


@dataclass(frozen=True)
class Sleeping(Work[Slept]):
    """Sleeps so many seconds for each unit."""

    seconds: float

    def make(self, units: Iterable[Unit], kept: Section) -> Generator[Slept, None, None]:
        """Where and when, of each unit."""
        for unit in units:
            begun = time.time()
            time.sleep(self.seconds)
            slept = Slept(_machine(), begun, time.time())
            kept.keep(unit.number, partial(_write, key=unit.key, slept=slept))
            yield slept

    def read(self, path: Path, unit: Unit) -> Slept:
        """What ``make`` kept."""
        found = json.loads(path.read_text())
        if found.pop("key") != unit.key:
            raise BrokenUnitError("of something else")
        return Slept(**found)


@dataclass(frozen=True)
class Growth:
    """How fast units were made by some machines.

    Args:
        machines: that made units.
        start: seconds from the call until every machine was at work.
        steady: units a second while every machine was at work.
        whole: units a second from the call to the end of the last unit.
    """

    machines: int
    start: float
    steady: float
    whole: float


def growth(called: float, made: Sequence[Slept]) -> Growth:
    """What the units' times tell.

    Args:
        called: when the work was given away, in seconds since 1970.
        made: all units.
    """
    machines = {each.machine for each in made}
    all_begun = max(min(each.begun for each in made if each.machine == machine) for machine in machines)
    first_ended = min(max(each.done for each in made if each.machine == machine) for machine in machines)
    # Of a unit that is partly within, the part counts: with few units whole ones would make steps.
    within = sum(
        max(0.0, min(each.done, first_ended) - max(each.begun, all_begun)) / (each.done - each.begun) for each in made
    )
    steady = within / (first_ended - all_begun) if first_ended > all_begun else float("nan")
    return Growth(len(machines), all_begun - called, steady, len(made) / (max(each.done for each in made) - called))


def units_of(count: int) -> list[Unit]:
    """So many units to sleep for."""
    return [Unit(number, f"sleep {number}") for number in range(count)]


def _write(path: Path, key: str, slept: Slept) -> None:
    path.write_text(json.dumps({"key": key, **slept.__dict__}))


def _machine() -> str:
    import ray

    return ray.get_runtime_context().get_node_id() if ray.is_initialized() else str(os.getpid())
