"""The rows of `make benchmark`: a stage beside its peer, with what is asked of the ratio."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import stages
from benchmarks.measuring import Measured


@dataclass(frozen=True)
class Row:
    """A stage that is measured beside its peer.

    Args:
        stage: what is done; rows beyond those that were asked for begin with ``extra_``.
        peer: what it is measured beside.
        measure: does the work of both sides and compares what came out; its argument is an empty folder.
        at_least: the ratio that is asked for on 2 CPU cores; None where none is.
        at_most: for a share: what it may be.
        peer_environment: a name in ``benchmarks/peers``, whose packages the peer needs in an environment of its own.
    """

    stage: str
    peer: str
    measure: Callable[[Path], Measured]
    at_least: float | None = None
    at_most: float | None = None
    peer_environment: str | None = None

    @property
    def name(self) -> str:
        """Stage and peer, as they are named on the command line."""
        return f"{self.stage}/{self.peer}"

    def holds(self, ratio: float) -> bool:
        """Whether a ratio is what is asked for."""
        return not ((self.at_least and ratio < self.at_least) or (self.at_most and ratio > self.at_most))

    @property
    def asked(self) -> str:
        """In words, what is asked for; nothing where nothing is."""
        if self.at_most:
            return f"at most {self.at_most:g}"
        return f"at least {self.at_least:g}" if self.at_least else ""


_ROWS: dict[str, Row] = {}


def row(
    stage: str,
    peer: str,
    at_least: float | None = None,
    at_most: float | None = None,
    peer_environment: str | None = None,
) -> Callable[[Callable[[Path], Measured]], Callable[[Path], Measured]]:
    """Make a row of a function that measures it."""

    def register(measure: Callable[[Path], Measured]) -> Callable[[Path], Measured]:
        made = Row(stage, peer, measure, at_least, at_most, peer_environment)
        _ROWS[made.name] = made
        return measure

    return register


def all_rows() -> dict[str, Row]:
    """Every row of the modules in ``benchmarks/stages``, in their order."""
    for module in sorted(pkgutil.iter_modules(stages.__path__), key=lambda each: each.name):
        importlib.import_module(f"{stages.__name__}.{module.name}")
    return dict(_ROWS)
