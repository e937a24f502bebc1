"""Whose turn it is: few downloads at once from one host, not too fast after each other, and many hosts at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from retrieval_vs_diffusion.images.downloads.settings import Downloads


@dataclass
class _Host:
    places: asyncio.Semaphore
    next_start: float = 0.0  # by the event loop's clock
    failures: int = 0  # in a row


class Turns:
    """Lets downloads begin when their host and this machine have room for them.

    Args:
        settings: how many at once, and how fast.
    """

    def __init__(self, settings: Downloads) -> None:
        self._settings = settings
        self._everywhere = asyncio.Semaphore(settings.concurrency)
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait for one's turn at a host, and have it until the block ends.

        The host's place is waited for first: who waits for a crowded host takes no place from the others.
        """
        state = self._host(host)
        async with state.places:
            loop = asyncio.get_running_loop()
            while (delay := state.next_start - loop.time()) > 0 and not self.gave_up(host):
                await asyncio.sleep(delay)
            state.next_start = loop.time() + self._settings.seconds_between
            async with self._everywhere:
                yield

    def pause(self, host: str, seconds: float) -> None:
        """Begin nothing at a host for so long, for it asked for that."""
        state = self._host(host)
        state.next_start = max(state.next_start, asyncio.get_running_loop().time() + seconds)

    def note(self, host: str, answered: bool) -> None:
        """Remember whether a host answered."""
        state = self._host(host)
        state.failures = 0 if answered else state.failures + 1

    def gave_up(self, host: str) -> bool:
        """Whether a host failed so often in a row that asking it again is a waste of time."""
        return self._host(host).failures >= self._settings.host_failures

    def _host(self, host: str) -> _Host:
        if host not in self._hosts:
            self._hosts[host] = _Host(asyncio.Semaphore(self._settings.per_host))
        return self._hosts[host]
