"""Numbers of shards that one process may have made, itself or by others."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from retrieval_vs_diffusion.images.downloads.shard import Shard
from retrieval_vs_diffusion.running_process import RunningProcess

_RUNNING = ".running"
_PARTIAL = re.compile(r"\.(\d{5,})\.(.+)\.part")
_UNITS = re.compile(r"\.(.+)\.units")


class ClaimedNumbers:
    """A number is claimed by making its folder, which one process alone can do; a hidden folder says which one.

    What killed processes left behind is removed first: their partial shards, and the numbers that they claimed.
    A process on another machine is no dead one as long as it has its lock (``running_process``).

    Args:
        folder: of all shards; exists.
        count: how many numbers are claimed.

    Attributes:
        numbers: ascending, in a row where nobody else claims some at the same time.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._process = RunningProcess(folder / _RUNNING)
        self.numbers: list[int] = []
        try:
            self._clear_away()
            number = self._last() + 1
            while len(self.numbers) < count:
                if self._claim(number):
                    self.numbers.append(number)
                number += 1
        except BaseException:
            self.release()
            raise

    @property
    def units(self) -> Path:
        """A folder for notes of what is made; gone with the claim."""
        return self._folder / f".{self._process.name}.units"

    def partial(self, number: int) -> Path:
        """The hidden folder in which the shard of a number is made."""
        return self._folder / f".{number:05d}.{self._process.name}.part"

    def release(self) -> None:
        """Give up the numbers of which no shard was made, and remove what was left of those."""
        for number in self.numbers:
            self._remove(self.partial(number), number)
        shutil.rmtree(self.units, ignore_errors=True)
        self._process.end()

    def _claim(self, number: int) -> bool:
        named = self._folder / f"{number:05d}"
        try:
            named.mkdir()
        except FileExistsError:
            return False
        if Shard.is_there(self._folder, number):  # one without images, whose folder somebody took for an unused claim
            return False
        self.partial(number).mkdir()
        return True

    def _last(self) -> int:
        named = [re.match(r"\d{5,}", path.name) for path in self._folder.glob("[0-9]*")]
        return max((int(each[0]) for each in named if each is not None), default=-1)

    def _clear_away(self) -> None:
        for partial in self._folder.glob(".*.part"):
            named = _PARTIAL.fullmatch(partial.name)
            if named is not None and not self._process.lives(named[2]):
                self._remove(partial, int(named[1]))
        for units in self._folder.glob(".*.units"):
            named = _UNITS.fullmatch(units.name)
            if named is not None and not self._process.lives(named[1]):
                shutil.rmtree(units, ignore_errors=True)

    def _remove(self, partial: Path, number: int) -> None:
        mine = self.partial(number)
        if partial != mine:
            try:
                os.rename(partial, mine)  # one process alone can: another one's new claim of that number stays
            except OSError:
                return
        shutil.rmtree(mine, ignore_errors=True)
        if not Shard.is_there(self._folder, number):
            with suppress(OSError):  # its images were shown already
                (self._folder / f"{number:05d}").rmdir()
