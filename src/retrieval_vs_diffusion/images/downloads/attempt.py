"""One attempt at an address: its redirects, each checked, and its body, all in limited time."""

from __future__ import annotations

import asyncio
import email.utils
import logging
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

import httpcore
import httpx

from retrieval_vs_diffusion.images.downloads.addresses import RefusedAddressError, UnknownHostError, follow, parse
from retrieval_vs_diffusion.images.downloads.body import BodyError, header, read_body
from retrieval_vs_diffusion.images.downloads.settings import Downloads
from retrieval_vs_diffusion.images.downloads.turns import Turns

logger = logging.getLogger(__name__)

_STALLED = 2.0  # seconds after a limit at which it is told
_REDIRECTS = {301, 302, 303, 307, 308}
_ACCEPT = "image/jpeg,image/png,image/webp,image/gif,image/bmp,image/tiff,image/*;q=0.5,*/*;q=0.1"


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    Args:
        final_url: the last address that was asked, or was to be.
        data: the body; None where the attempt failed.
        reason: why it failed, in few words; None where it did not.
        transient: whether another attempt may fare better.
        wait: seconds that the host asked to wait before it; None where it named none.
    """

    final_url: str
    data: bytes | None = None
    reason: str | None = None
    transient: bool = False
    wait: float | None = None


class Attempts:
    """Makes attempts over shared connections, in turn.

    Args:
        pool: connections, to checked addresses alone.
        turns: who may begin when.
        settings: limits.
        landing: a place in it is taken for each body, to be given back by who has used it up.
    """

    def __init__(
        self, pool: httpcore.AsyncConnectionPool, turns: Turns, settings: Downloads, landing: asyncio.Semaphore
    ) -> None:
        self.turns = turns
        self.settings = settings
        self._pool = pool
        self._landing = landing

    async def make(self, url: str) -> Outcome:
        """Ask an address once, following its redirects."""
        remaining = self.settings.timeout
        refused = "refused"
        final_url = url
        try:
            target = parse(url, self.settings.schemes)
            for _ in range(self.settings.redirects + 1):
                final_url = str(target)
                async with self.turns.turn(target.host):
                    if self.turns.gave_up(target.host):
                        return Outcome(final_url, reason="host does not answer")
                    began = asyncio.get_running_loop().time()
                    answer = await self._ask(target, remaining)
                    remaining -= asyncio.get_running_loop().time() - began
                    if isinstance(answer, Outcome):
                        if answer.data is not None:
                            await self._landing.acquire()  # in turn still: nothing more is fetched than is used up
                        return answer
                refused = "refused redirect to"
                target = follow(target, answer, self.settings.schemes)
        except RefusedAddressError as error:
            return Outcome(final_url, reason=f"{refused} {error}")
        return Outcome(final_url, reason="too many redirects")

    async def _ask(self, url: httpx.URL, seconds: float) -> Outcome | str:
        """The answer of one address, or where it redirects to."""
        place = str(url)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(seconds):
                answer = await self._answer(url)
        except TimeoutError:
            if loop.time() - began > seconds + _STALLED:  # we stood still, e.g. for a file server, and not the host
                return Outcome(place, reason="timed out", transient=True)
            return self._silent(url, "timed out", transient=False)
        except (httpcore.TimeoutException, httpcore.ConnectError) as error:
            if _has_cause(error, ssl.SSLCertVerificationError):
                return self._silent(url, "no trusted certificate", transient=False)
            return self._silent(url, "no connection")
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
            return self._silent(url, "broken connection")
        except UnknownHostError:
            return Outcome(place, reason="no such host")
        except BodyError as error:
            answer = Outcome(place, reason=str(error))
        except RefusedAddressError:
            raise
        except Exception:  # whatever libraries make of bytes that were made to break them; others must not stop
            logger.warning("%s: unreadable answer", place, exc_info=True)
            return self._silent(url, "unreadable answer", transient=False)
        too_many = isinstance(answer, Outcome) and answer.reason == "429"
        self.turns.note(url.host, answered=not too_many)
        return answer

    def _silent(self, url: httpx.URL, reason: str, transient: bool = True) -> Outcome:
        self.turns.note(url.host, answered=False)
        return Outcome(str(url), reason=reason, transient=transient)

    async def _answer(self, url: httpx.URL) -> Outcome | str:
        place = str(url)
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        async with self._pool.stream("GET", target, headers=self._headers(url)) as response:
            if response.status in _REDIRECTS and (location := header(response, "location")):
                return location
            if response.status != 200:
                transient = response.status == 429 or response.status >= 500
                wait = _seconds(header(response, "retry-after")) if transient else None
                return Outcome(place, reason=str(response.status), transient=transient, wait=wait)
            if self._is_disallowed(header(response, "x-robots-tag")):
                return Outcome(place, reason="opted out")
            return Outcome(place, data=await read_body(response, self.settings.largest_bytes))

    def _headers(self, url: httpx.URL) -> list[tuple[str, str]]:
        return [
            ("Host", url.netloc.decode("ascii")),
            ("User-Agent", self.settings.user_agent),
            ("Accept", _ACCEPT),
            ("Accept-Encoding", "identity"),  # images are packed already, and bombs are not wanted
        ]

    def _is_disallowed(self, directives: str) -> bool:
        """Whether an answer's wishes for all robots hold one that is respected; ``name: wish`` is for another robot."""
        given = {each.strip().lower() for each in directives.split(",")}
        return not given.isdisjoint(self.settings.disallowed_directives)


def _has_cause(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False


def _seconds(retry_after: str) -> float | None:
    """The seconds of a ``Retry-After``, which holds them or a date; None where it holds neither."""
    if retry_after.isdecimal():
        return float(retry_after[:9])
    try:
        moment = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
