"""One shard of a folder of downloads, written as img2dataset's format ``files`` has it: whole, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval_vs_diffusion.atomic import sync, to_disk
from retrieval_vs_diffusion.images.downloads.fetcher import Fetched
from retrieval_vs_diffusion.images.downloads.pictures import NoPictureError, Picture, prepare

LARGEST = 1000  # addresses of a shard: what an interruption costs at most; the keys have room for 10,000
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("url", "caption", "key", "status", "error_message")),
        *((name, pa.int32()) for name in ("width", "height", "original_width", "original_height")),
        *((name, pa.string()) for name in ("exif", "sha256")),
    ]
)


class Shard:
    """A shard in the making, in a hidden folder; ``finish`` shows it, ``discard`` leaves nothing of it.

    It may be tried again, when who made it has died or is taken for dead; each try has a hidden folder of its own.

    Args:
        partial: the hidden folder of all tries, in the folder of all shards; exists.
        number: of the shard, claimed by who makes it or has it made (``claimed_numbers``).
        short_side: as ``pictures.prepare`` takes it.
    """

    def __init__(self, partial: Path, number: int, short_side: int | None) -> None:
        self._folder = partial.parent
        self.number = number
        self._short_side = short_side
        self._partial = partial / secrets.token_hex(4)
        self._images = self._partial / "images"
        self._partial.mkdir()
        self._images.mkdir()
        self._rows: dict[int, dict[str, Any]] = {}
        self._began = time.time()

    @staticmethod
    def is_there(folder: Path, number: int) -> bool:
        """Whether the shard of a number is whole."""
        return (folder / f"{number:05d}.parquet").exists()

    def add(self, place: int, url: str, caption: str | None, fetched: Fetched) -> None:
        """Write what an address answered; may be called by several threads, once for each place.

        Args:
            place: of the address in the shard, from 0.
            url: the address.
            caption: of its image.
            fetched: its answer.
        """
        key = f"{self.number:05d}{place:04d}"
        caption = None if caption is None else caption.encode(errors="replace").decode()
        row: dict[str, Any] = {**dict.fromkeys(SCHEMA.names), "url": url, "caption": caption, "key": key}
        self._rows[place] = row
        if fetched.data is None:
            row |= {"status": "failed_to_download", "error_message": fetched.reason}
            return
        row["sha256"] = hashlib.sha256(fetched.data).hexdigest()
        try:
            picture = prepare(fetched.data, self._short_side)
        except NoPictureError as error:
            row |= {"status": "failed_to_resize", "error_message": f"dead: {error}"}
            return
        row |= {"status": "success", "width": picture.width, "height": picture.height}
        row |= {"original_width": picture.original_width, "original_height": picture.original_height}
        self._write_sample(key, caption, picture, row)

    def reasons(self) -> dict[str, str | None]:
        """For every address so far why its download failed; None where it did not."""
        return {row["url"]: row["error_message"] for row in self._rows.values()}

    def finish(self) -> None:
        """Show the shard; its table comes last, so that who sees that sees a whole shard."""
        rows = [self._rows[place] for place in sorted(self._rows)]
        table, stats = self._partial / "table", self._partial / "stats"
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), table)
        stats.write_text(json.dumps(_stats(rows, time.time() - self._began), indent=4), encoding="utf-8")
        to_disk(self._partial)
        if not self.is_there(self._folder, self.number):  # else a try that was taken for dead was quicker
            self._show(stats, table)
        self.discard()

    def discard(self) -> None:
        """Leave nothing of this try."""
        shutil.rmtree(self._partial, ignore_errors=True)

    def _show(self, stats: Path, table: Path) -> None:
        for shown in self._named().iterdir():  # by a try that was killed here
            shown.unlink()
        os.rename(self._images, self._named())  # over the empty folder that claimed the number
        os.rename(stats, self._named("_stats.json"))
        os.rename(table, self._named(".parquet"))
        sync(self._folder)

    def _named(self, ending: str = "") -> Path:
        return self._folder / f"{self.number:05d}{ending}"

    def _write_sample(self, key: str, caption: str | None, picture: Picture, row: dict[str, Any]) -> None:
        files = {picture.ending: picture.data, "json": json.dumps(row, indent=4).encode()}
        if caption is not None:
            files["txt"] = caption.encode()
        for ending, data in files.items():
            path = self._images / f"{key}.{ending}"
            path.write_bytes(data)


def _stats(rows: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    status = Counter(row["status"] for row in rows)
    return {
        "count": len(rows),
        "successes": status["success"],
        "failed_to_download": status["failed_to_download"],
        "failed_to_resize": status["failed_to_resize"],
        "duration": seconds,
        "status_dict": Counter(row["error_message"] or "success" for row in rows),
    }
