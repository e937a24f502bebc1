"""The image table: the one form in which images travel between pipelines.

Rows are images with their label, caption and provenance. The columns are those of ``SCHEMA``;
Hugging Face ``datasets``, Ray Data, DuckDB and pandas open the Parquet files as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute
from jaxtyping import Int, UInt8

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.parquet_shards import ROWS_PER_GROUP, ParquetShards
from retrieval_vs_diffusion.images.row_groups import take_rows

_ROWS_AT_ONCE = 8 * ROWS_PER_GROUP

# `datasets` reads this from the Parquet metadata and then decodes the column as images.
_HUGGING_FACE_FEATURES = {"info": {"features": {"image": {"_type": "Image"}}}}

SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),  # from what it is: its place or its recipe
        pa.field("content_hash", pa.string(), nullable=False),  # sha256 of the pixels
        pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        pa.field("label", pa.int32()),  # the class it is used for; null in a pool
        pa.field("caption", pa.string()),
        pa.field("true_label", pa.int32()),  # the class it shows, where that is known
        pa.field("leak_of", pa.string()),  # in a pool with planted leaks: the test image it copies
        pa.field("source", pa.string()),  # file, URL or place in a collection
        pa.field("prompt", pa.string()),
        pa.field("seed", pa.int64()),
        pa.field("checkpoint", pa.string()),  # what generated it
        pa.field("recipe", pa.string()),  # JSON: what else it takes to generate it again
        pa.field("similarity", pa.float32()),  # to the query that found it
        pa.field("parent", pa.string()),  # image_id of the image it was made from
        pa.field("refused", pa.string()),  # why the screening refused it; null for images that are used
    ],
    metadata={b"huggingface": json.dumps(_HUGGING_FACE_FEATURES).encode()},
)


def content_hash(pixels: UInt8[np.ndarray, "h w 3"]) -> str:
    """Hash of the pixels and the shape; equal for equal images, however they are encoded."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()[:32]


def image_row(pixels: UInt8[np.ndarray, "h w 3"], image_id: str, **columns: Any) -> dict[str, Any]:
    """One row of an image table: the image encoded, hashed, and given its other ``columns``."""
    image = {"bytes": codec.encode(pixels), "path": None}
    return {"image_id": image_id, "content_hash": content_hash(pixels), "image": image, **columns}


class ImageTable:
    """Images with labels, captions and provenance.

    Args:
        table: rows with the columns of ``SCHEMA``, in memory or in shards of which is read what is asked for.
        ledger: what was asked, found, refused and used when the table was made, by class; empty
            for tables that no strategy made.
    """

    def __init__(self, table: pa.Table | ParquetShards, ledger: Mapping[str, Any] | None = None) -> None:
        self._shards = table if isinstance(table, ParquetShards) else None
        self._table = None if isinstance(table, ParquetShards) else table.cast(SCHEMA)
        self.ledger = dict(ledger or {})

    def __getstate__(self) -> dict[str, Any]:
        """Of shards their places alone, whatever was read of them."""
        return {**self.__dict__, "_table": None if self._shards is not None else self._table}

    @property
    def table(self) -> pa.Table:
        """All rows in memory."""
        if self._table is None:
            assert self._shards is not None  # noqa: S101  (one of the two is there)
            self._table = self._shards.whole()
        return self._table

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], ledger: Mapping[str, Any] | None = None) -> ImageTable:
        """Build a table from rows as ``image_row`` makes them; columns that a row lacks are null."""
        rows = list(rows)
        unknown = {key for row in rows for key in row} - set(SCHEMA.names)
        if unknown:
            raise ValueError(f"an image table has no column {sorted(unknown)}; it has {SCHEMA.names}")
        return cls(pa.Table.from_pylist(rows, schema=SCHEMA), ledger)

    @classmethod
    def concatenate(cls, tables: Sequence[ImageTable]) -> ImageTable:
        """The rows of all tables in their order; ledgers are dropped."""
        return cls(pa.concat_tables([each.table for each in tables]) if tables else SCHEMA.empty_table())

    def __len__(self) -> int:
        return self._source.num_rows

    @property
    def _source(self) -> pa.Table | ParquetShards:
        return self._table if self._table is not None or self._shards is None else self._shards

    def column(self, name: str) -> list[Any]:
        """The values of one column as Python values (None for null)."""
        return self._source.column(name).to_pylist()

    def rows_with(self, name: str, values: Collection[str] | None = None) -> Int[np.ndarray, " n"]:
        """Positions of the rows that have a value in a column, or one of ``values``, ascending."""
        if values is not None and not values:
            return np.zeros(0, dtype=np.int64)
        found, start = [], 0
        for part in self._columns(name):
            matches = part.is_valid() if values is None else compute.is_in(part, pa.array(sorted(values), part.type))
            found.append(start + np.flatnonzero(matches.to_numpy(zero_copy_only=False)))
            start += len(part)
        return np.concatenate([np.zeros(0, dtype=np.int64), *found])

    def _columns(self, name: str) -> Iterator[pa.Array]:
        """One column, a part at a time."""
        if isinstance(self._source, ParquetShards):
            yield from self._source.column_parts(name)
        else:
            yield from self._source.column(name).chunks

    def labels(self) -> Int[np.ndarray, " n"]:
        """The labels as integers.

        Raises:
            ValueError: if a row has no label.
        """
        column = self._source.column("label")
        if column.null_count:
            raise ValueError(f"{column.null_count} of {len(self)} images have no label")
        return column.to_numpy().astype(np.int64)

    def take(self, rows: Sequence[int] | np.ndarray) -> ImageTable:
        """The rows at these positions, in this order."""
        positions = np.asarray(rows, dtype=np.int64)
        if isinstance(self._source, ParquetShards):
            return ImageTable(self._source.take(positions))
        pieces = [pa.Table.from_batches([batch]) for batch in self.table.to_batches() if batch.num_rows]
        starts = np.cumsum([0, *(piece.num_rows for piece in pieces)])
        return ImageTable(take_rows(positions, starts, pieces.__getitem__, SCHEMA))

    def first_of_each_class(self, counts: int | Sequence[int]) -> ImageTable:
        """The first ``counts`` rows of each label, in the table's order; ledgers are dropped.

        Args:
            counts: one number for all classes, or a number for each label.
        """
        labels = self.labels()
        limits = np.asarray(counts) if isinstance(counts, int) else np.asarray(counts)[labels]
        rank = np.empty(len(labels), dtype=np.int64)  # of each row among those of its label
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            rank[members] = np.arange(len(members))
        return self.take(np.flatnonzero(rank < limits))

    def row(self, position: int) -> dict[str, Any]:
        """One row as a dictionary."""
        return self.rows([position])[0]

    def rows(self, positions: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
        """Rows at these positions as dictionaries, in this order."""
        return self.take(positions).table.to_pylist()

    def batches(self, size: int) -> Iterator[ImageTable]:
        """All rows in order, at most so many at a time; ledgers are dropped."""
        for start in range(0, len(self), size):
            yield self.take(range(start, min(start + size, len(self))))

    def pixels(self) -> UInt8[np.ndarray, "n h w 3"]:
        """All images decoded to one array; they must share one size.

        Raises:
            BrokenImageError: if an image cannot be decoded.
            ValueError: if the table is empty or the sizes differ.
        """
        images = [codec.decode(data) for data in self.encoded()]
        shapes = {image.shape for image in images}
        if len(shapes) != 1:
            raise ValueError(f"images of one size are needed for an array, found {sorted(shapes) or 'none'}")
        return np.stack(images)

    def encoded(self) -> Iterator[bytes]:
        """The encoded bytes of each image."""
        for batch in self.batches(_ROWS_AT_ONCE):
            for value in batch.table.column("image"):
                yield value["bytes"].as_py()
