"""Shards whose addresses are being asked; each is finished when its last answer is there."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.downloads.fetcher import Fetched
from retrieval_vs_diffusion.images.downloads.shard import Shard
from retrieval_vs_diffusion.images.downloads.shares import host_of

_UNREACHED = {f"dead: {each}" for each in ("no connection", "no such host", "timed out", "host does not answer")}
_MANY_HOSTS = 8  # so many that none is reached are not all dead

# Of each shard its number, the hidden folder in which it is made, and captions by address.
Share: TypeAlias = list[tuple[int, str, dict[str, str | None]]]


class ShardsInTheMaking:
    """The shards of a share that are not whole yet.

    Args:
        folder: of all shards.
        share: which are to be made.
        short_side: as ``pictures.prepare`` takes it.
    """

    def __init__(self, folder: Path, share: Share, short_side: int | None) -> None:
        self._folder = folder
        self._open: dict[int, _Open] = {}
        self._lock = Lock()
        for number, partial, captions in share:
            if not Shard.is_there(folder, number):
                self._open[number] = _Open(Shard(folder / partial, number, short_side), captions)
        self._numbers = {url: number for number, each in self._open.items() for url in each.captions}

    def addresses(self) -> list[str]:
        """What is to be asked."""
        return list(self._numbers)

    @property
    def waiting(self) -> int:
        """How many addresses have not answered."""
        return len(self._numbers)

    def arrived(self, url: str, fetched: Fetched) -> None:
        """Take what an address answered; may be called by several threads.

        Raises:
            UserError: if no host of a shard was reached.
            OSError: if it cannot be written.
        """
        with self._lock:
            number = self._numbers[url]
        of = self._open[number]
        of.shard.add(of.places[url], url, of.captions[url], fetched)
        with self._lock:
            del self._numbers[url]
            of.left -= 1
            is_whole = not of.left
        if is_whole:
            self._check_reached(of.shard.reasons())
            of.shard.finish()
            del self._open[number]

    def discard(self) -> None:
        """Leave nothing of what is not whole."""
        for each in self._open.values():
            each.shard.discard()

    def _check_reached(self, reasons: Mapping[str, str | None]) -> None:
        """Check that not all failed for want of a network: they would be remembered as dead."""
        if not set(reasons.values()) <= _UNREACHED:
            return
        hosts = {host_of(url) for url in reasons}
        if len(hosts) >= _MANY_HOSTS:
            raise UserError(
                f"{self._folder}: none of {len(hosts)} hosts could be reached from {socket.gethostname()}; connect "
                "that machine to the internet (proxies are not used), and run again"
            )


class _Open:
    def __init__(self, shard: Shard, captions: Mapping[str, str | None]) -> None:
        self.shard, self.captions = shard, captions
        self.places = {url: place for place, url in enumerate(captions)}
        self.left = len(captions)
