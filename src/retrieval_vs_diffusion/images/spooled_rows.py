"""Image rows that are collected before their order is known: in memory while they are few, then in a file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int

from retrieval_vs_diffusion.images.image_table import SCHEMA, ImageTable
from retrieval_vs_diffusion.images.parquet_shards import ROWS_PER_GROUP, ParquetShards

_IN_MEMORY_UP_TO = 64_000_000  # bytes of encoded images
_BYTES_PER_GROUP = 4_000_000
_FILE = "rows.parquet"
_BYTES_KEPT = 32_000_000  # of what is read again: rows are mostly asked for as they came


class SpooledRows:
    """Rows as ``image_row`` makes them, kept by the order in which they came.

    Args:
        folder: says where the file is made, when one is needed; None for where the system has its temporary files.
            The file goes with the tables that were made of it.
        in_memory_up_to: bytes of encoded images that are held in memory; 64 MB without it.
    """

    def __init__(self, folder: Callable[[], Path | None] = lambda: None, in_memory_up_to: int | None = None) -> None:
        self._choose_folder = folder
        self._in_memory_up_to = _IN_MEMORY_UP_TO if in_memory_up_to is None else in_memory_up_to
        self._held: list[Mapping[str, Any]] = []
        self._bytes_held = 0
        self._written = 0  # rows in the file
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._writer: pq.ParquetWriter | None = None

    def __len__(self) -> int:
        return self._written + len(self._held)

    def add(self, row: Mapping[str, Any]) -> int:
        """Keep a row; returns its number."""
        self._held.append(row)
        self._bytes_held += _bytes_of(row)
        if self._bytes_held > self._in_memory_up_to or (
            self._writer is not None and (len(self._held) >= ROWS_PER_GROUP or self._bytes_held >= _BYTES_PER_GROUP)
        ):
            self._write()
        return len(self) - 1

    def table(self, numbers: Sequence[int], ledger: Mapping[str, Any] | None = None) -> ImageTable:
        """The rows of these numbers, in this order; nothing can be added any more.

        What lies in the file is read when it is asked for.
        """
        if self._folder is None:
            return ImageTable.from_rows((self._held[number] for number in numbers), ledger)
        self._write()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        return ImageTable(_InOrder(self._folder, np.asarray(numbers, dtype=np.int64)), ledger)

    def _write(self) -> None:
        """Write what is held, in groups of which one alone need be read to have a row of it."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(
                prefix="rows_", dir=self._choose_folder(), ignore_cleanup_errors=True
            )
            self._writer = pq.ParquetWriter(Path(self._folder.name, _FILE), SCHEMA, compression="none")
        for group in _groups(self._held):
            assert self._writer is not None  # noqa: S101  (until a table is made)
            self._writer.write_table(ImageTable.from_rows(group).table)
        self._written += len(self._held)
        self._held, self._bytes_held = [], 0


class _InOrder(ParquetShards):
    """Rows of a file in another order than it has them.

    Args:
        folder: the file's, which is removed when nobody holds it any more.
        order: numbers of the file's rows; one may stand there several times or not at all.
    """

    def __init__(self, folder: tempfile.TemporaryDirectory[str], order: Int[np.ndarray, " n"]) -> None:
        super().__init__([Path(folder.name, _FILE)], SCHEMA, _BYTES_KEPT)
        self._folder, self._order = folder, order

    def __getstate__(self) -> dict[str, Any]:
        """The file goes with the process that made it."""
        return {**super().__getstate__(), "_folder": None}

    @property
    def num_rows(self) -> int:
        return len(self._order)

    def whole(self) -> pa.Table:
        return self.take(np.arange(len(self._order)))

    def column_parts(self, name: str) -> Iterator[pa.Array]:
        yield (
            pa.chunked_array(list(super().column_parts(name)), SCHEMA.field(name).type)
            .take(self._order)
            .combine_chunks()
        )

    def take(self, rows: Int[np.ndarray, " n"]) -> pa.Table:
        if ((rows < 0) | (rows >= len(self._order))).any():
            raise IndexError(f"rows {rows.min()} to {rows.max()} of a table with {len(self._order)} rows")
        return super().take(self._order[rows])


def _groups(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    group: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        group.append(row)
        size += _bytes_of(row)
        if len(group) >= ROWS_PER_GROUP or size >= _BYTES_PER_GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group


def _bytes_of(row: Mapping[str, Any]) -> int:
    return len((row.get("image") or {}).get("bytes") or b"")
