"""A pool of links as retrieval sees it: the rows that are looked at have their images, and no others are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.downloads.fetcher import Fetcher
from retrieval_vs_diffusion.images.downloads.settings import Downloads
from retrieval_vs_diffusion.images.downloads.store import Download, DownloadStore
from retrieval_vs_diffusion.images.image_table import ImageTable, content_hash


class LinkedPool:
    """Image rows whose images are downloaded when they are first looked at, and kept.

    A row that the table refuses (unsafe, without an address) is given as it is: its address is never asked.
    A row whose image cannot be had is given without it, and with why in ``refused``, which begins with ``dead``.

    Args:
        table: rows without images, with an address in ``source``.
        store: where downloads are kept.
        settings: how they are made.
        fetcher: what makes them; None for one by ``settings``.
    """

    def __init__(
        self, table: ImageTable, store: DownloadStore, settings: Downloads, fetcher: Fetcher | None = None
    ) -> None:
        self.table = table
        self.store = store
        self.settings = settings
        self._fetcher = fetcher or Fetcher(settings)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def ledger(self) -> dict[str, Any]:
        """What is said of the whole pool."""
        return self.table.ledger

    def column(self, name: str) -> list[Any]:
        """The values of one column as the table has them: images that were downloaded are not among them."""
        return self.table.column(name)

    def row(self, position: int) -> dict[str, Any]:
        """One row with its image; ``rows`` downloads several at once, which is far faster."""
        return self.rows([position])[0]

    def rows(self, positions: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
        """The rows at these positions, in this order, with their images; those that are missing are downloaded.

        Raises:
            UserError: as ``DownloadStore.bring`` does.
        """
        rows = self.table.rows(positions)
        downloads = self._bring(rows)
        return [_with_image(row, downloads) for row in rows]

    def prefetch(self, positions: Sequence[int] | np.ndarray) -> None:
        """Download the images of these rows, all at once, and give none back.

        Raises:
            UserError: as ``DownloadStore.bring`` does.
        """
        self._bring(self.table.rows(positions))

    def _bring(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Download]:
        asked = {row["source"]: row["caption"] for row in rows if _is_asked(row)}
        return self.store.bring(asked, self._fetcher)


def _is_asked(row: Mapping[str, Any]) -> bool:
    has_image = row["image"] is not None and row["image"]["bytes"] is not None
    return row["refused"] is None and not has_image and bool(row["source"])


def _with_image(row: dict[str, Any], downloads: Mapping[str, Download]) -> dict[str, Any]:
    if not _is_asked(row):
        return row
    download = downloads.get(row["source"], Download(None, "dead: not kept"))
    if download.path is None:
        return {**row, "refused": download.reason}
    try:
        data = download.path.read_bytes()
        pixels = codec.decode(data)
    except (OSError, codec.BrokenImageError):  # damaged on disk, or removed a moment ago
        return {**row, "refused": "dead: broken file"}
    return {**row, "image": {"bytes": data, "path": None}, "content_hash": content_hash(pixels)}
