"""Fetching many addresses at once, politely, and with no trust in what answers."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from retrieval_vs_diffusion.images.downloads.addresses import Resolve, system_resolve
from retrieval_vs_diffusion.images.downloads.attempt import Attempts, Outcome
from retrieval_vs_diffusion.images.downloads.connections import CheckedBackend, default_ssl_context, open_pool
from retrieval_vs_diffusion.images.downloads.event_loop import run_in_own_loop
from retrieval_vs_diffusion.images.downloads.settings import Downloads
from retrieval_vs_diffusion.images.downloads.turns import Turns
from retrieval_vs_diffusion.progress import progress

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

    def fetch_each(self, urls: Iterable[str], arrived: Callable[[str, Fetched], None]) -> None:
        """Fetch addresses, each once, and hand every answer on as soon as it is there.

        Args:
            urls: may hold one twice.
            arrived: takes an address and its answer; called in some threads at once. No more bodies are held
                than downloads are made at once, and some that wait to be taken.

        Raises:
            Exception: what ``arrived`` raises; nothing more is fetched then.
        """
        distinct = list(dict.fromkeys(urls))
        if distinct:
            run_in_own_loop(self._fetch_all(distinct, arrived))

    async def _fetch_all(self, urls: list[str], arrived: Callable[[str, Fetched], None]) -> None:
        backend = CheckedBackend(self._resolve, self.settings.private_addresses)
        takers = min(4, os.cpu_count() or 1)
        landing = asyncio.Semaphore(2 * takers)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(takers, "arrived") as threads:
            async with open_pool(backend, self.settings, self._ssl_context or default_ssl_context()) as pool:
                attempts = Attempts(pool, Turns(self.settings), self.settings, landing)

                async def fetch_one(url: str) -> None:
                    fetched = await _with_retries(url, attempts)
                    try:
                        await loop.run_in_executor(threads, arrived, url, fetched)
                    finally:
                        if fetched.data is not None:
                            landing.release()

                tasks = [asyncio.create_task(fetch_one(url)) for url in urls]
                try:
                    for done in progress(asyncio.as_completed(tasks), "downloading", len(tasks)):
                        await done
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
                    backend.close()


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
