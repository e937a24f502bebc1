"""A folder of downloads in img2dataset's format ``files``: what was asked, and what became of it."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.downloads.fetcher import Fetched, Fetcher
from retrieval_vs_diffusion.images.downloads.shard import LARGEST, Shard

_TABLE = re.compile(r"(\d{5,})\.parquet")
_ENDINGS = (".jpg", ".png")
_UNREACHED = {f"dead: {each}" for each in ("no connection", "no such host", "timed out", "host does not answer")}
_MANY_HOSTS = 8  # so many that none is reached are not all dead


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
        for start in range(0, len(asked), LARGEST):
            self._download({url: captions[url] for url in asked[start : start + LARGEST]}, fetcher)
        return self.find(captions)

    def _is_retried(self, url: str, known: Download) -> bool:
        return self._retry_dead and known.path is None and url not in self._retried

    def _download(self, captions: Mapping[str, str | None], fetcher: Fetcher) -> None:
        place = {url: number for number, url in enumerate(captions)}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            shard = Shard(self.folder, fetcher.settings.short_side)
        except OSError as error:
            raise UserError(f"{self.folder}: cannot keep downloads here: {error.strerror or error}") from error
        try:

            def arrived(url: str, fetched: Fetched) -> None:
                shard.add(place[url], url, captions[url], fetched)

            fetcher.fetch_each(captions, arrived)
            self._check_reached(shard.reasons())
            shard.finish()
        except OSError as error:
            shard.discard()
            raise UserError(f"{self.folder}: cannot keep downloads here: {error.strerror or error}") from error
        except BaseException:
            shard.discard()
            raise
        self._retried.update(captions)

    def _check_reached(self, reasons: Mapping[str, str | None]) -> None:
        """Check that not all failed for want of a network: they would be remembered as dead."""
        if not set(reasons.values()) <= _UNREACHED:
            return
        hosts = {urlsplit(url).netloc for url in reasons}
        if len(hosts) >= _MANY_HOSTS:
            raise UserError(
                f"{self.folder}: none of {len(hosts)} hosts could be reached; connect this machine to the internet "
                f"(proxies are not used), and run again"
            )

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
