"""Rows of Parquet shards, read when they are asked for: what is not looked at stays on the disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int

from retrieval_vs_diffusion.images.row_groups import take_rows

ROWS_PER_GROUP = 128  # what is read to have one row of it: some megabytes of photographs
_BYTES_KEPT = 256_000_000


class ParquetShards:
    """A table that lies in several Parquet files, in order.

    Args:
        files: the shards.
        schema: columns of the table; a shard that lacks some has nulls there.
        bytes_kept: of the groups that were read last, which are likely to be asked for again.
    """

    def __init__(self, files: Sequence[Path], schema: pa.Schema, bytes_kept: int | None = None) -> None:
        self.schema = schema
        self._most_bytes = _BYTES_KEPT if bytes_kept is None else bytes_kept
        self._files = [Path(file) for file in files]
        self._open: dict[int, pq.ParquetFile] = {}
        starts, groups = [0], []
        for number, file in enumerate(self._files):
            metadata = pq.read_metadata(file)
            for group in range(metadata.num_row_groups):
                groups.append((number, group))
                starts.append(starts[-1] + metadata.row_group(group).num_rows)
        self._groups, self._starts = groups, np.asarray(starts)
        self._kept: OrderedDict[int, pa.Table] = OrderedDict()
        self._bytes_kept = 0

    def __getstate__(self) -> dict[str, Any]:
        """As another process opens them, which sees the files at the same place."""
        return {**self.__dict__, "_open": {}, "_kept": OrderedDict(), "_bytes_kept": 0}

    @property
    def num_rows(self) -> int:
        """Rows in all shards."""
        return int(self._starts[-1])

    def whole(self) -> pa.Table:
        """Everything, in memory."""
        tables = [self._conformed(self._file(number).read()) for number in range(len(self._files))]
        return pa.concat_tables(tables) if tables else self.schema.empty_table()

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of all rows; the others are not read."""
        return pa.chunked_array(list(self.column_parts(name)), type=self.schema.field(name).type)

    def column_parts(self, name: str) -> Iterator[pa.Array]:
        """One column of all rows, a part of a shard at a time."""
        kind = self.schema.field(name).type
        for number in range(len(self._files)):
            file = self._file(number)
            if name in file.schema_arrow.names:
                yield from file.read(columns=[name]).column(name).cast(kind).chunks
            else:
                yield pa.nulls(file.metadata.num_rows, kind)

    def take(self, rows: Int[np.ndarray, " n"]) -> pa.Table:
        """These rows in this order; each group that holds some of them is read once."""
        return take_rows(rows, self._starts, self._group, self.schema)

    def batches(self, size: int) -> Iterator[pa.Table]:
        """All rows in order, at most so many at a time."""
        for start in range(0, self.num_rows, size):
            yield self.take(np.arange(start, min(start + size, self.num_rows)))

    def _group(self, group: int) -> pa.Table:
        if group in self._kept:
            self._kept.move_to_end(group)
            return self._kept[group]
        number, within = self._groups[group]
        table = self._conformed(self._file(number).read_row_group(within))
        self._kept[group] = table
        self._bytes_kept += table.nbytes
        while self._bytes_kept > self._most_bytes and len(self._kept) > 1:
            self._bytes_kept -= self._kept.popitem(last=False)[1].nbytes
        return table

    def _file(self, number: int) -> pq.ParquetFile:
        if number not in self._open:
            if len(self._open) >= 64:  # a pool may have thousands, and a process may not
                self._open.pop(next(iter(self._open))).close()
            self._open[number] = pq.ParquetFile(self._files[number])
        return self._open[number]

    def _conformed(self, table: pa.Table) -> pa.Table:
        for field in self.schema:
            if field.name not in table.column_names:
                table = table.append_column(field, pa.nulls(table.num_rows, field.type))
        return table.select(self.schema.names).cast(self.schema)
