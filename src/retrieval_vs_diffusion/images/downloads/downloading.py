"""Downloading shares of addresses, here or in other processes: each is written in whole shards."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from pathlib import Path

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.executors.units import Unit, Work
from retrieval_vs_diffusion.images.downloads.fetcher import Fetcher
from retrieval_vs_diffusion.images.downloads.shard import LARGEST
from retrieval_vs_diffusion.images.downloads.shards_in_the_making import ShardsInTheMaking, Share
from retrieval_vs_diffusion.progress import SECONDS_BETWEEN_LINES
from retrieval_vs_diffusion.unfinished import BrokenUnitError, Section

logger = logging.getLogger(__name__)
_ASKED_AT_ONCE = 2 * LARGEST  # addresses: while the last of a shard are waited for, others are asked
_TURNS = ".turns"


class Downloading(Work[list[int]]):
    """Makes shards of a folder of downloads; a unit gives the numbers of its own.

    Args:
        folder: of the shards; exists.
        fetcher: asks.
    """

    def __init__(self, folder: Path, fetcher: Fetcher) -> None:
        self._folder, self._fetcher = folder.absolute(), fetcher

    def make(self, units: Iterable[Unit], kept: Section) -> Generator[list[int], None, None]:
        """Ask the addresses of several units at once; a shard that is whole already is not asked again.

        Raises:
            UserError: if the folder cannot be written, or no host is reached.
        """
        begun: deque[_Begun] = deque()
        try:
            with self._fetcher.begun(self._folder / _TURNS) as begin:
                for unit in units:
                    making = ShardsInTheMaking(self._folder, unit.takes, self._fetcher.settings.short_side)
                    begun.append(_Begun(unit, making, begin(making.addresses(), making.arrived)))
                    _wait_for_room(begun)
                    while begun and begun[0].is_done:
                        yield self._ended(begun, kept)
                while begun:
                    _wait(begun, [begun[0].future])
                    yield self._ended(begun, kept)
        except OSError as error:
            raise UserError(f"{self._folder}: cannot keep downloads here: {error.strerror or error}") from error
        finally:
            for each in begun:  # nothing is fetched any longer
                each.making.discard()

    def read(self, path: Path, unit: Unit) -> list[int]:
        """Numbers of a unit's shards."""
        found = json.loads(path.read_text())
        if found != numbers_of(unit.takes):
            raise BrokenUnitError(f"holds shards {found}")
        return found

    def _ended(self, begun: deque[_Begun], kept: Section) -> list[int]:
        unit = begun[0].unit
        begun[0].future.result()
        begun.popleft()
        numbers = numbers_of(unit.takes)
        kept.keep(unit.number, partial(_write, numbers=numbers))
        return numbers


class _Begun:
    """A unit whose addresses are asked."""

    def __init__(self, unit: Unit, making: ShardsInTheMaking, future: Future[None]) -> None:
        self.unit, self.making, self.future = unit, making, future

    @property
    def is_done(self) -> bool:
        return self.future.done()


def numbers_of(share: Share) -> list[int]:
    """Numbers of the shards that a unit takes."""
    return [number for number, _, _ in share]


def _wait_for_room(begun: deque[_Begun]) -> None:
    while True:
        rest = [each for each in begun if not each.is_done]
        # Those of one host beyond a shard's wait for their turn, and keep nobody else waiting.
        if sum(min(each.making.waiting, LARGEST) for each in rest) < _ASKED_AT_ONCE:
            return
        _wait(begun, [each.future for each in rest])


def _wait(begun: deque[_Begun], futures: list[Future[None]]) -> None:
    """Wait for one of them, and say now and then how far they are."""
    while not any(each.done() for each in futures):
        wait([each.future for each in begun if not each.is_done], SECONDS_BETWEEN_LINES, FIRST_COMPLETED)
        for each in begun:
            if each.is_done:
                each.future.result()  # what went wrong is told at once
        logger.info("downloading: %d addresses are waited for", sum(each.making.waiting for each in begun))


def _write(path: Path, numbers: list[int]) -> None:
    path.write_text(json.dumps(numbers))
