"""What a step has done before it is done: units that are whole or absent, so that a killed run goes on after the last.

Who runs a step says with ``kept_in`` where its units are kept; the code that does the work asks for ``unfinished`` and
need not know. Outside of ``kept_in`` nothing is kept, and all is made anew.

A unit is found again by its place in the order of the work, and used where its key, a digest of what it is made of, is
the same. The folder belongs to one fingerprint of the step: what was made of something else is never looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

from retrieval_vs_diffusion.atomic import replacing, sync

logger = logging.getLogger(__name__)
T = TypeVar("T")
_SPENT = "spent.json"
_SCRATCH = "scratch"
_DIGITS = 32  # of a unit's digest
_IN_A_FOLDER = 1_000  # numbered units


class BrokenUnitError(Exception):
    """A unit is of something else than what is asked for; it is made again."""


def _nobody_is_told() -> None:
    """Of a function that has a name: another process may be given the section."""


class Section:
    """Units of one part of a step, e.g. the batches of one call of a generator.

    Args:
        folder: where they are; None where nothing is kept.
        keeping: called whenever one is about to be kept.
    """

    def __init__(self, folder: Path | None, keeping: Callable[[], None] = _nobody_is_told) -> None:
        self._folder = folder
        self._keeping = keeping

    @property
    def is_kept(self) -> bool:
        """Whether units are kept at all."""
        return self._folder is not None

    @property
    def folder(self) -> Path | None:
        """Where they are, for other processes that keep units of this section; None where nothing is kept."""
        return self._folder

    def place(self, unit: int | str) -> Path:
        """Where a unit's files are, but for the digest at their end; only of a section that is kept.

        A folder is listed for each unit that is looked for in it, so none may become large.
        """
        assert self._folder is not None  # noqa: S101  (asked for)
        if isinstance(unit, str):
            return self._folder / unit
        thousands = unit // _IN_A_FOLDER
        return (self._folder / f"{thousands}k" if thousands else self._folder) / f"{unit:06d}"

    def find(self, unit: int | str, read: Callable[[Path], T]) -> T | None:
        """A unit as ``read`` reads it; None where there is none, or none that is whole.

        Args:
            unit: its name within the section.
            read: raises ``BrokenUnitError`` for a file of another key.
        """
        for path in self._files(unit):
            try:
                if _digest_of(path) != path.suffix[1:]:
                    logger.info("%s is damaged, and is made again", path)
                    continue
                found = read(path)
            except FileNotFoundError:  # another process has cleared it
                continue
            except BrokenUnitError as error:
                logger.info("%s is made again: %s", path, error)
                continue
            logger.debug("%s found", path)
            return found
        return None

    def keep(self, unit: int | str, write: Callable[[Path], None]) -> None:
        """Keep a unit, in the place of an earlier one of that name."""
        self.about_to_keep()
        self.keep_told(unit, write)

    def about_to_keep(self) -> None:
        """Tell that a unit is made: first, as what a kill before it is kept makes be done again was spent all the same.

        Belongs to the thread that does the work, which measures it; ``keep_told`` may then run on another one.
        """
        if self._folder is not None:
            self._keeping()

    def keep_told(self, unit: int | str, write: Callable[[Path], None]) -> None:
        """Keep a unit of which ``about_to_keep`` has told."""
        if self._folder is None:
            return
        earlier, place = self._files(unit), self.place(unit)
        # Another process may make the same unit: one that was taken for dead, on another machine.
        new = place.with_name(f"{place.name}.{secrets.token_hex(4)}.new")
        with replacing(new) as partial:
            write(partial)
            path = place.with_name(f"{place.name}.{_digest_of(partial)}")
        # Its name holds its digest, and it gets that name in one step: no damage goes unseen.
        os.replace(new, path)
        sync(path.parent)
        for each in earlier:
            if each != path:
                each.unlink(missing_ok=True)
        logger.debug("%s kept", path)

    def forget(self, units: Iterable[int | str]) -> None:
        """Remove units that nobody will ask for again, as what was made of them is kept."""
        for unit in units:
            for path in self._files(unit):
                path.unlink(missing_ok=True)

    def _files(self, unit: int | str) -> list[Path]:
        """Files of a unit, the newest first: there are two where a process was killed between writing and clearing."""
        if self._folder is None:
            return []
        place = self.place(unit)
        times: dict[Path, int] = {}
        for path in place.parent.glob(f"{place.name}.{'[0-9a-f]' * _DIGITS}"):
            with contextlib.suppress(FileNotFoundError):  # another process has cleared it
                times[path] = path.stat().st_mtime_ns
        return sorted(times, key=lambda path: times[path], reverse=True)


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS]


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

    def scratch(self) -> Path | None:
        """A folder for files of this run alone, empty where it starts; None where no units are kept."""
        if self._folder is None:
            return None
        folder = self._folder / _SCRATCH
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def measure(self, spent: Callable[[], Mapping[str, Any]]) -> None:
        """Have written down with every unit what the work took so far, ``spent_before`` included.

        Args:
            spent: tells it, as JSON can hold it. It can be pickled where a section is given to other processes: who
                keeps a unit asks it.
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
    if folder is not None and folder.is_dir():
        logger.info("Going on with what a run that ended too early left: %s", folder.parent)
        shutil.rmtree(folder / _SCRATCH, ignore_errors=True)
    before = _current.set(UnfinishedWork(folder))
    try:
        yield
    finally:
        _current.reset(before)
