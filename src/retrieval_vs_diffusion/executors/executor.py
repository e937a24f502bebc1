"""The executor of the running step: who runs a step says with ``executed_by`` which; the work asks for ``executor``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from functools import partial
from itertools import chain
from typing import Protocol, TypeVar

from retrieval_vs_diffusion.executors.units import Unit, Work
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.unfinished import Section

T = TypeVar("T")


class Executor(Protocol):
    """Has units made."""

    def run(self, work: Work[T], units: Sequence[Unit], kept: Section, description: str) -> Iterator[T]:
        """What each unit gives, in their order; those that ``kept`` has are not made again.

        Args:
            work: makes them.
            units: in ascending order of their numbers.
            kept: where they are kept.
            description: what is done, for the progress that is shown.
        """
        ...


class LocalExecutor:
    """Makes units in this process, one after the other but for what the work begins ahead."""

    def run(self, work: Work[T], units: Sequence[Unit], kept: Section, description: str) -> Iterator[T]:
        """As ``Executor`` says."""
        yield from make_missing(work, progress(units, description), kept)


def make_missing(work: Work[T], units: Iterator[Unit], kept: Section) -> Iterator[T]:
    """What each unit gives, in their order: read where ``kept`` has it, else made."""
    found: list[T] = []  # one at most: what ends a row of missing units

    def missing() -> Iterator[Unit]:
        for unit in units:
            value = kept.find(unit.number, partial(work.read, unit=unit))
            if value is not None:
                found.append(value)
                return
            yield unit

    while True:
        row = missing()
        first = next(row, None)
        if first is not None:
            with contextlib.closing(work.make(chain([first], row), kept)) as made:
                yield from made
        if not found:
            return
        yield found.pop()


_current: ContextVar[Executor] = ContextVar("executor", default=LocalExecutor())  # noqa: B039  (it holds nothing)


def executor() -> Executor:
    """The executor of the step that runs now."""
    return _current.get()


@contextlib.contextmanager
def executed_by(chosen: Executor) -> Iterator[None]:
    """Have the units of the work inside made by an executor; worker processes that are forked inside inherit it."""
    before = _current.set(chosen)
    try:
        yield
    finally:
        _current.reset(before)
