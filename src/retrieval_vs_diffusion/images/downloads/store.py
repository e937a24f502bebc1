"""A folder of downloads in img2dataset's format ``files``: what was asked, and what became of it."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.executors.executor import executor
from retrieval_vs_diffusion.executors.units import Unit
from retrieval_vs_diffusion.images.downloads.claimed_numbers import ClaimedNumbers
from retrieval_vs_diffusion.images.downloads.downloading import Downloading, numbers_of
from retrieval_vs_diffusion.images.downloads.fetcher import Fetcher
from retrieval_vs_diffusion.images.downloads.shard import Shard
from retrieval_vs_diffusion.images.downloads.shards_in_the_making import Share
from retrieval_vs_diffusion.images.downloads.shares import shares_of
from retrieval_vs_diffusion.unfinished import Section

_TABLE = re.compile(r"(\d{5,})\.parquet")
_ENDINGS = (".jpg", ".png")
_SECONDS_BETWEEN_LOOKS = (0.1, 1.0, 5.0, 30.0)


@dataclass(frozen=True)
class Download:
    """What became of an address.

    Args:
        path: the file of its image; None where it brought none.
        reason: why not, beginning with ``dead: ``; None where it did.
    """

    path: Path | None
    reason: str | None


class DownloadStore:
    """What was downloaded, by address; several processes may add to one folder at once.

    Of an address that was downloaded twice, the shard of the lowest number counts; an image counts more than
    a failure, and of failures the last.

    Args:
        folder: where the shards are, or will be; may also be img2dataset's own.
        retry_dead: ask again, once, what failed before.
    """

    def __init__(self, folder: Path, retry_dead: bool = False) -> None:
        self.folder = folder
        self._retry_dead = retry_dead
        self._retried: set[str] = set()
        self._known: dict[str, tuple[int, Download]] = {}
        self._read: set[str] = set()  # names of the tables that are in `_known`

    def find(self, urls: Iterable[str]) -> dict[str, Download]:
        """What became of these addresses; those that were never asked are left out.

        Raises:
            UserError: if a shard's table cannot be read.
        """
        self._read_new_shards()
        return {url: self._known[url][1] for url in urls if url in self._known}

    def bring(self, captions: Mapping[str, str | None], fetcher: Fetcher) -> dict[str, Download]:
        """Download what is not there, and say what became of all.

        Args:
            captions: the caption of each address, which is kept with its image.
            fetcher: asks.

        Raises:
            UserError: if a shard's table cannot be read, the folder cannot be written, or no host is reached.
        """
        found = self.find(captions)
        asked = [url for url in captions if url not in found or self._is_retried(url, found[url])]
        if asked:
            self._download({url: captions[url] for url in asked}, fetcher)
        return self.find(captions)

    def _is_retried(self, url: str, known: Download) -> bool:
        return self._retry_dead and known.path is None and url not in self._retried

    def _download(self, captions: Mapping[str, str | None], fetcher: Fetcher) -> None:
        shares = shares_of(list(captions))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            claimed = ClaimedNumbers(self.folder, sum(len(share) for share in shares))
        except OSError as error:
            raise UserError(f"{self.folder}: cannot keep downloads here: {error.strerror or error}") from error
        try:
            units = list(_units(shares, captions, claimed))
            work, kept = Downloading(self.folder, fetcher), Section(claimed.units)
            for numbers in executor().run(work, units, kept, "downloading (shares of the addresses)"):
                self._see(numbers)
        finally:
            claimed.release()
        self._retried.update(captions)

    def _see(self, numbers: Iterable[int]) -> None:
        """Wait until the tables of shards that others have made are here, on a file system over the network."""
        for seconds in (*_SECONDS_BETWEEN_LOOKS, None):
            if all(Shard.is_there(self.folder, number) for number in numbers):
                return
            if seconds is not None:
                time.sleep(seconds)
        raise UserError(f"{self.folder}: shards {numbers} were made elsewhere, and are not here")

    def _read_new_shards(self) -> None:
        names = os.listdir(self.folder) if self.folder.is_dir() else []
        for name in sorted(names, key=lambda each: (len(each), each)):
            matched = _TABLE.fullmatch(name)
            if matched is not None and name not in self._read:
                self._read_shard(matched[1])
                self._read.add(name)

    def _read_shard(self, name: str) -> None:
        path = self.folder / f"{name}.parquet"
        columns = ["url", "key", "status", "error_message"]
        try:
            table = pq.ParquetFile(path).read(columns)
            values = [table.column(column).cast(pa.string()).to_pylist() for column in columns]
        except (pa.ArrowException, KeyError, ValueError, OSError) as error:
            told = str(error).partition("\n")[0]
            raise UserError(f"{path}: is no table of downloads ({told}); remove it, and they are made again") from error
        images = self._images(name)
        for url, key, status, message in itertools.zip_longest(*values):
            if status == "success":
                if key in images:  # who removed an image has it downloaded again
                    self._remember(url, int(name), Download(images[key], None))
            else:
                reason = message or status or "failed"
                reason = reason if reason.startswith("dead") else f"dead: {reason}"
                self._remember(url, int(name), Download(None, reason))

    def _images(self, name: str) -> dict[str, Path]:
        folder = self.folder / name
        paths = [Path(folder, file) for file in os.listdir(folder)] if folder.is_dir() else []
        return {path.stem: path for path in paths if path.suffix in _ENDINGS}

    def _remember(self, url: str, number: int, download: Download) -> None:
        if url in self._known:
            known_number, known = self._known[url]
            earlier = number < known_number
            if (known.path is not None) != (download.path is not None):
                replaces = download.path is not None
            else:
                replaces = earlier if download.path is not None else not earlier
            if not replaces:
                return
        self._known[url] = (number, download)


def _units(
    shares: Iterable[Sequence[Sequence[str]]], captions: Mapping[str, str | None], claimed: ClaimedNumbers
) -> Iterator[Unit]:
    numbers = iter(claimed.numbers)
    for place, share in enumerate(shares):
        takes: Share = []
        for urls, number in zip(share, numbers, strict=False):
            takes.append((number, claimed.partial(number).name, {url: captions[url] for url in urls}))
        yield Unit(place, str(numbers_of(takes)), takes)
