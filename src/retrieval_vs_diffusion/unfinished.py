"""What a step has done before it is done: units that are whole or absent, so that a killed run goes on after the last.

Who runs a step says with ``kept_in`` where its units are kept; the code that does the work asks for ``unfinished`` and
need not know. Outside of ``kept_in`` nothing is kept, and all is made anew.

A unit is found again by its place in the order of the work, and used where its key, a digest of what it is made of, is
the same. The folder belongs to one fingerprint of the step: what was made of something else is never looked at.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

from retrieval_vs_diffusion.atomic import replacing

logger = logging.getLogger(__name__)
T = TypeVar("T")
_SPENT = "spent.json"


class BrokenUnitError(Exception):
    """A unit's file is not what was written; it is made again."""


class Section:
    """Units of one part of a step, e.g. the batches of one call of a generator.

    Args:
        folder: where they are; None where nothing is kept.
        kept: called whenever one was kept.
    """

    def __init__(self, folder: Path | None, kept: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._kept = kept

    @property
    def is_kept(self) -> bool:
        """Whether units are kept at all."""
        return self._folder is not None

    def find(self, unit: int | str, read: Callable[[Path], T]) -> T | None:
        """A unit as ``read`` reads it; None where there is none, or none that is whole.

        Args:
            unit: its name within the section.
            read: raises ``BrokenUnitError`` for a file that is damaged, or of another key.
        """
        path = self._path(unit)
        if path is None or not path.is_file():
            return None
        try:
            found = read(path)
        except BrokenUnitError as error:
            logger.info("%s is made again: %s", path.name, error)
            return None
        logger.debug("%s found", path)
        return found

    def keep(self, unit: int | str, write: Callable[[Path], None]) -> None:
        """Keep a unit, in the place of an earlier one of that name."""
        path = self._path(unit)
        if path is not None:
            with replacing(path) as partial:
                write(partial)
            self._kept()
            logger.debug("%s kept", path)

    def _path(self, unit: int | str) -> Path | None:
        name = f"{unit:06d}" if isinstance(unit, int) else unit
        return self._folder / name if self._folder is not None else None


class UnfinishedWork:
    """All units of one run of one step.

    Args:
        folder: where they are; None where nothing is kept.

    Attributes:
        spent_before: what runs that were killed had spent when they kept their last unit; empty where there were none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._sections: Counter[str] = Counter()
        self._spent: Callable[[], Mapping[str, Any]] | None = None
        self.spent_before = self._read_spent()

    def section(self, name: str) -> Section:
        """The next section of that name: a step that asks in the same order finds its own."""
        if self._folder is None:
            return Section(None)
        plain = re.sub(r"[^A-Za-z0-9]+", "_", name)[:60]
        number = self._sections[plain]
        self._sections[plain] += 1
        return Section(self._folder / f"{plain}_{number}", self._write_spent)

    def measure(self, spent: Callable[[], Mapping[str, Any]]) -> None:
        """Have written down with every unit what the work took so far, ``spent_before`` included.

        Args:
            spent: tells it, as JSON can hold it.
        """
        self._spent = spent

    def _write_spent(self) -> None:
        if self._folder is not None and self._spent is not None:
            with replacing(self._folder / _SPENT) as partial:
                partial.write_text(json.dumps(self._spent()))

    def _read_spent(self) -> dict[str, Any]:
        try:
            return json.loads((self._folder / _SPENT).read_text()) if self._folder is not None else {}
        except (OSError, ValueError):
            return {}


_current: ContextVar[UnfinishedWork] = ContextVar("unfinished", default=UnfinishedWork(None))  # noqa: B039  (keeps nothing)


def unfinished() -> UnfinishedWork:
    """The unfinished work of the step that runs now."""
    return _current.get()


@contextlib.contextmanager
def kept_in(folder: Path | None) -> Iterator[None]:
    """Keep the units of the work inside in a folder, and find those that are there; None keeps nothing.

    What lies beside the folder, units of the same step made of something else, is removed: it may be large, and
    nobody asks for it but who goes back to old settings.
    """
    if folder is not None and folder.parent.is_dir():
        for other in folder.parent.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    before = _current.set(UnfinishedWork(folder))
    try:
        yield
    finally:
        _current.reset(before)
