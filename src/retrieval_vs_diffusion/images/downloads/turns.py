"""Whose turn it is: few downloads at once from one host, not too fast after each other, and many hosts at once."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from retrieval_vs_diffusion.images.downloads.host_locks import HostLocks
from retrieval_vs_diffusion.images.downloads.settings import Downloads

_START = 0  # the place at a host that who begins there has until the next may begin; from 1 on, a place for a download
_SECONDS_BETWEEN_TRIES = 0.05  # at a host that other processes are at
_SECONDS_OF_PATIENCE = 600.0  # then a machine has died whose file server keeps its locks; limits are politeness alone

logger = logging.getLogger(__name__)


@dataclass
class _Host:
    places: asyncio.Semaphore
    taken: set[int] = field(default_factory=set)
    next_start: float = 0.0  # by the event loop's clock


class Places:
    """Room for downloads, of which each host and this machine have so much; for all work of one event loop.

    Args:
        settings: how many at once, and how fast.
        locks: by which other processes see who is at which host.
    """

    def __init__(self, settings: Downloads, locks: HostLocks) -> None:
        self._settings, self._locks = settings, locks
        self._everywhere = asyncio.Semaphore(settings.concurrency)
        self._hosts: dict[str, _Host] = {}
        self._told_of: set[str] = set()

    @asynccontextmanager
    async def at(self, host: str, gave_up: Callable[[], bool]) -> AsyncIterator[None]:
        """Wait for room at a host, and have it until the block ends.

        The host's place is waited for first: who waits for a crowded host takes no place from the others.

        Args:
            host: its name.
            gave_up: whether waiting any longer is a waste of time.
        """
        state = self._host(host)
        async with state.places:
            place = await self._free_place(host, state)
            try:
                await self._start(host, state, gave_up)
                async with self._everywhere:
                    yield
            finally:
                state.taken.discard(place)
                self._locks.give_back(host, place)

    def pause(self, host: str, seconds: float) -> None:
        """Begin nothing at a host for so long, for it asked for that."""
        state = self._host(host)
        state.next_start = max(state.next_start, asyncio.get_running_loop().time() + seconds)
        if self._locks.take(host, _START):
            self._give_start_back_in_time(host, state)

    async def _free_place(self, host: str, state: _Host) -> int:
        impatient_from = asyncio.get_running_loop().time() + _SECONDS_OF_PATIENCE
        while True:
            # As many places more as there are, which who is patient leaves alone.
            places = self._settings.per_host * (2 if self._is_late(host, impatient_from) else 1)
            for place in range(1, places + 1):
                if place not in state.taken and self._locks.take(host, place):
                    state.taken.add(place)
                    return place
            await asyncio.sleep(_SECONDS_BETWEEN_TRIES)

    async def _start(self, host: str, state: _Host, gave_up: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        impatient_from = max(loop.time(), state.next_start) + _SECONDS_OF_PATIENCE
        while not gave_up():
            if (delay := state.next_start - loop.time()) > 0:
                await asyncio.sleep(delay)
            elif self._locks.take(host, _START) or self._is_late(host, impatient_from):
                break
            else:
                await asyncio.sleep(_SECONDS_BETWEEN_TRIES)
        else:
            return
        state.next_start = loop.time() + self._settings.seconds_between
        self._give_start_back_in_time(host, state)

    def _is_late(self, host: str, impatient_from: float) -> bool:
        late = asyncio.get_running_loop().time() > impatient_from
        if late and host not in self._told_of:
            self._told_of.add(host)
            logger.warning(
                "%s: other processes have all its places for %.0f minutes, or a machine died that had them; going on",
                *(host, _SECONDS_OF_PATIENCE / 60),
            )
        return late

    def _give_start_back_in_time(self, host: str, state: _Host) -> None:
        def give_back() -> None:
            if state.next_start <= loop.time():  # else who moved it gives back
                self._locks.give_back(host, _START)

        loop = asyncio.get_running_loop()
        loop.call_at(state.next_start, give_back) if state.next_start > loop.time() else give_back()

    def _host(self, host: str) -> _Host:
        if host not in self._hosts:
            self._hosts[host] = _Host(asyncio.Semaphore(self._settings.per_host))
        return self._hosts[host]


class Turns:
    """Turns of downloads that belong together, and that give a host up together.

    Args:
        settings: when a host is given up.
        places: where there is room.
    """

    def __init__(self, settings: Downloads, places: Places) -> None:
        self._settings, self._places = settings, places
        self._failures: Counter[str] = Counter()  # in a row

    def turn(self, host: str) -> AbstractAsyncContextManager[None]:
        """Wait for one's turn at a host, and have it until the block ends."""
        return self._places.at(host, partial(self.gave_up, host))

    def pause(self, host: str, seconds: float) -> None:
        """Begin nothing at a host for so long, for it asked for that."""
        self._places.pause(host, seconds)

    def note(self, host: str, answered: bool) -> None:
        """Remember whether a host answered."""
        self._failures[host] = 0 if answered else self._failures[host] + 1

    def gave_up(self, host: str) -> bool:
        """Whether a host failed so often in a row that asking it again is a waste of time."""
        return self._failures[host] >= self._settings.host_failures
