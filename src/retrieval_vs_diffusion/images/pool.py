"""The pool as strategies see it: its images, wherever they lie, and the rows that must not be used."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from retrieval_vs_diffusion.images.image_table import ImageTable

if TYPE_CHECKING:
    from retrieval_vs_diffusion.images.downloads.settings import Downloads
    from retrieval_vs_diffusion.images.downloads.store import DownloadStore

logger = logging.getLogger(__name__)

LINKS = "links"  # what the ledger of a pool says under `kind` whose images are yet to be downloaded


@dataclass(frozen=True)
class Pool:
    """Images of a pool by row.

    Args:
        images: the rows; those of a pool of links download what they are asked for.
        left_out: rows that no strategy may use, ascending: taken down, unsafe, watermarked.
        overfetch: of a pool of links, how many times as many are downloaded as are wanted: some are dead.
    """

    images: Any
    left_out: Int[np.ndarray, " n"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    overfetch: float = 1.0

    def __len__(self) -> int:
        return len(self.images)

    def row(self, position: int) -> dict[str, Any]:
        """One row with its image."""
        return self.rows([position])[0]

    def rows(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        """Rows with their images, in this order; a link that is dead says so in ``refused``."""
        return self.images.rows(positions)

    def prefetch(self, positions: Sequence[int]) -> None:
        """Download together what will be asked for one by one; nothing to do where images are there."""
        if hasattr(self.images, "prefetch"):
            self.images.prefetch(positions)

    @property
    def is_downloaded(self) -> bool:
        """Whether images come over the network when they are asked for."""
        return hasattr(self.images, "prefetch")


def _tell(images: ImageTable, taken_down: Int[np.ndarray, " n"], takedown: frozenset[str]) -> None:
    """Say once what a takedown list does: who was asked to remove a picture must know that it is gone."""
    if not takedown or takedown in _told:
        return
    _told.add(takedown)
    rows = images.rows(taken_down)
    unknown = takedown - {row["image_id"] for row in rows} - {row["source"] for row in rows}
    logger.info(
        "takedown: %d of %d entries found, %d images of the pool left out",
        len(takedown) - len(unknown),
        len(takedown),
        len(rows),
    )
    if unknown:
        logger.warning("takedown: %d entries are no id and no URL of the pool, e.g. %s", len(unknown), min(unknown))


_told: set[frozenset[str]] = set()


def open_pool(
    images: ImageTable,
    takedown: frozenset[str] = frozenset(),
    store: DownloadStore | None = None,
    settings: Downloads | None = None,
) -> Pool:
    """The pool of an image table.

    Args:
        images: rows; those of a pool of links have a URL in ``source`` and no image.
        takedown: ids and URLs that must not be used.
        store: where downloaded images are kept.
        settings: how images are downloaded.
    """
    taken_down = np.union1d(images.rows_with("image_id", takedown), images.rows_with("source", takedown))
    _tell(images, taken_down.astype(np.int64), takedown)
    left_out = np.union1d(images.rows_with("refused"), taken_down).astype(np.int64)
    if images.ledger.get("kind") != LINKS:
        return Pool(images, left_out)
    from retrieval_vs_diffusion.images.downloads.linked_pool import LinkedPool
    from retrieval_vs_diffusion.images.downloads.settings import Downloads

    if store is None:
        raise ValueError("a pool of links needs a store for what is downloaded")
    settings = settings or Downloads()
    return Pool(LinkedPool(images, store, settings), left_out, settings.overfetch)
