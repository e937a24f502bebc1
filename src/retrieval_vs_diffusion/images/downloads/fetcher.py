"""Fetching many addresses at once, politely, and with no trust in what answers."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import httpcore
import httpx

from retrieval_vs_diffusion.images.downloads.addresses import Resolve, system_resolve
from retrieval_vs_diffusion.images.downloads.attempt import Attempts, Outcome
from retrieval_vs_diffusion.images.downloads.connections import CheckedBackend, default_ssl_context, open_pool
from retrieval_vs_diffusion.images.downloads.event_loop import in_own_loop
from retrieval_vs_diffusion.images.downloads.host_locks import HostLocks
from retrieval_vs_diffusion.images.downloads.settings import Downloads
from retrieval_vs_diffusion.images.downloads.turns import Places, Turns

_BEGUN = 2_000  # addresses of a list that are waited for at once; most wait for their host's turn
LONGEST_WAIT = 30.0  # seconds that a host may ask for with Retry-After; one that asks for more is let be


@dataclass(frozen=True)
class Fetched:
    """What an address answered.

    Args:
        data: the body; None where there is none to use.
        reason: why not, beginning with ``dead: ``; None where there is one.
        final_url: where redirects led.
        seconds: until it was there, waiting for one's turn and all.
    """

    data: bytes | None
    reason: str | None
    final_url: str
    seconds: float


# Takes an address and what it answered.
Arrived: TypeAlias = Callable[[str, Fetched], None]


class Fetcher:
    """Fetches addresses over HTTP: no cookies, no logins, no proxies of the environment.

    Args:
        settings: patience and politeness.
        resolve: asks for a host's IP addresses.
        ssl_context: the certificates that are trusted; None for the usual authorities.
    """

    def __init__(
        self, settings: Downloads, resolve: Resolve = system_resolve, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self.settings = settings
        self._resolve = resolve
        self._ssl_context = ssl_context

    def fetch(self, urls: Iterable[str]) -> dict[str, Fetched]:
        """Fetch addresses, each once, in the order in which they are given; all bodies are held in memory."""
        distinct = list(dict.fromkeys(urls))
        fetched: dict[str, Fetched] = {}
        self.fetch_each(distinct, fetched.__setitem__)
        return {url: fetched[url] for url in distinct}

    def fetch_each(self, urls: Iterable[str], arrived: Arrived) -> None:
        """Fetch addresses, each once, and hand every answer on as soon as it is there.

        Args:
            urls: may hold one twice.
            arrived: takes an address and its answer, as ``begun`` says.

        Raises:
            Exception: what ``arrived`` raises; nothing more is fetched then.
        """
        with self.begun() as begin:
            begin(urls, arrived).result()

    @contextmanager
    def begun(self, shared: Path | None = None) -> Iterator[Callable[[Iterable[str], Arrived], Future[None]]]:
        """Fetch several lists of addresses at once, which share connections and limits.

        Args:
            shared: a file by which other processes keep the limits of a host with this one; None to share none.

        Returns:
            what begins a list: it takes the addresses, and what takes each answer. That is called in some threads
            at once; no more bodies are held than downloads are made at once, and some that wait to be taken. What it
            raises ends the list and is raised by its future. At the end of the context all that is begun is ended.
        """
        with in_own_loop(self._opened(shared)) as (fetching, begin):
            yield lambda urls, arrived: begin(fetching.fetch(urls, arrived))

    @asynccontextmanager
    async def _opened(self, shared: Path | None) -> AsyncIterator[_Fetching]:
        backend = CheckedBackend(self._resolve, self.settings.private_addresses)
        takers = min(4, os.cpu_count() or 1)
        with ThreadPoolExecutor(takers, "arrived") as threads, closing(HostLocks(shared)) as locks:
            async with open_pool(backend, self.settings, self._ssl_context or default_ssl_context()) as pool:
                landing = asyncio.Semaphore(2 * takers)
                fetching = _Fetching(pool, Places(self.settings, locks), self.settings, landing, threads)
                try:
                    yield fetching
                finally:
                    await fetching.end()
                    backend.close()


class _Fetching:
    """Fetches lists of addresses over shared connections."""

    def __init__(
        self,
        pool: httpcore.AsyncConnectionPool,
        places: Places,
        settings: Downloads,
        landing: asyncio.Semaphore,
        threads: ThreadPoolExecutor,
    ) -> None:
        self._pool, self._places, self._settings, self._threads = pool, places, settings, threads
        self._landing = landing
        self._lists: set[asyncio.Task[None]] = set()

    async def fetch(self, urls: Iterable[str], arrived: Arrived) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        self._lists.add(task)
        attempts = Attempts(self._pool, Turns(self._settings, self._places), self._settings, self._landing)
        window = asyncio.Semaphore(_BEGUN)
        try:
            async with asyncio.TaskGroup() as tasks:
                for url in dict.fromkeys(urls):
                    await window.acquire()
                    tasks.create_task(self._fetch_one(url, attempts, arrived)).add_done_callback(
                        lambda _: window.release()
                    )
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            self._lists.discard(task)

    async def _fetch_one(self, url: str, attempts: Attempts, arrived: Arrived) -> None:
        fetched = await _with_retries(url, attempts)
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, arrived, url, fetched)
        finally:
            if fetched.data is not None:
                self._landing.release()

    async def end(self) -> None:
        """Cancel what is not done."""
        lists = list(self._lists)
        for each in lists:
            each.cancel()
        await asyncio.gather(*lists, return_exceptions=True)


async def _with_retries(url: str, attempts: Attempts) -> Fetched:
    settings, turns = attempts.settings, attempts.turns
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(settings.retries + 1):
        outcome = await attempts.make(url)
        if not outcome.transient or number == settings.retries:
            break
        wait = outcome.wait if outcome.wait is not None else settings.backoff * 2**number
        if wait > LONGEST_WAIT:
            break
        if outcome.wait is not None:
            turns.pause(httpx.URL(outcome.final_url).host, outcome.wait)
        await asyncio.sleep(wait)
    return _fetched(outcome, loop.time() - began)


def _fetched(outcome: Outcome, seconds: float) -> Fetched:
    reason = None if outcome.reason is None else f"dead: {outcome.reason}"
    return Fetched(outcome.data, reason, outcome.final_url, seconds)
