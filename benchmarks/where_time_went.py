"""Where the core-seconds of a run went: in the functions of its steps, or beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Spent:
    """Core-seconds of a run on a number of cores, by what they went into.

    Args:
        total: cores times seconds on the clock, from the start of the process to its end.
        steps: in the steps' own functions, without the loading of modules.
        imports: loading modules in the steps' functions.
        start: cores times seconds until the first step's function began.
        end: cores times seconds after the last one had ended.
        beside: seconds of processor time of the main process while steps ran: fingerprints, records, locks, MLflow.
            It takes cores from the steps, whose seconds are the longer for it, and so it is not theirs.
    """

    total: float
    steps: float
    imports: float
    start: float
    end: float
    beside: float

    @property
    def overhead(self) -> float:
        """Everything but the functions of steps, with all waiting: of a free worker too, whatever it waits for."""
        return self.total - self.steps + self.beside

    @property
    def rest(self) -> float:
        """Loading and saving what steps take and make, their start in a worker, and workers without a step."""
        return self.total - self.steps - self.imports - self.start - self.end

    def told(self) -> str:
        """In words, by its parts."""
        parts = (
            ("start-up", self.start),
            ("loading modules in steps", self.imports),
            ("reading, saving and waiting", self.rest),
            ("the main process beside steps", self.beside),
            ("the end", self.end),
        )
        return ", ".join(f"{name} {seconds / self.total:.1%}" for name, seconds in parts)


def where_time_went(ledger: Path, started: float, ended: float, cores: int) -> Spent:
    """Add up what ``timed_run`` wrote.

    Args:
        ledger: its file.
        started: of the process, seconds of the monotonic clock.
        ended: of the process, likewise.
        cores: how many worked.
    """
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    steps = [line for line in lines if "step" in line]
    (main,) = (line for line in lines if "main" in line)
    imports = sum(step["loaded"] for step in steps)
    return Spent(
        total=cores * (ended - started),
        steps=sum(step["ended"] - step["began"] for step in steps) - imports,
        imports=imports,
        start=cores * (min(step["began"] for step in steps) - started),
        end=cores * (ended - max(step["ended"] for step in steps)),
        beside=main["cpu_beside_steps"],
    )
