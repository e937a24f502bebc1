"""An image table that does not exist yet: its rows are made while it is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


class ImageStream:
    """Rows of an image table, made one by one, so that no more than a few images are in memory.

    Args:
        rows: rows as ``image_row`` makes them, made when they are asked for.
        ledger: what is said of the whole table; may be filled while the rows are made, and is read after the last.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]], ledger: Mapping[str, Any] | None = None) -> None:
        self._rows = rows
        self.ledger: Mapping[str, Any] = ledger if ledger is not None else {}

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self._rows)
