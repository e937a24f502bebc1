"""The image table: the one form in which images travel between pipelines.

Rows are images with their label, caption and provenance. The columns are those of ``SCHEMA``;
Hugging Face ``datasets``, Ray Data, DuckDB and pandas open the Parquet files as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int, UInt8

from retrieval_vs_diffusion.images import codec

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
        table: rows with the columns of ``SCHEMA``.
        ledger: what was asked, found, refused and used when the table was made, by class; empty
            for tables that no strategy made.
    """

    def __init__(self, table: pa.Table, ledger: Mapping[str, Any] | None = None) -> None:
        self.table = table.cast(SCHEMA)
        self.ledger = dict(ledger or {})

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
        return self.table.num_rows

    def column(self, name: str) -> list[Any]:
        """The values of one column as Python values (None for null)."""
        return self.table.column(name).to_pylist()

    def labels(self) -> Int[np.ndarray, " n"]:
        """The labels as integers.

        Raises:
            ValueError: if a row has no label.
        """
        column = self.table.column("label")
        if column.null_count:
            raise ValueError(f"{column.null_count} of {len(self)} images have no label")
        return column.to_numpy().astype(np.int64)

    def take(self, rows: Sequence[int] | np.ndarray) -> ImageTable:
        """The rows at these positions, in this order."""
        return ImageTable(self.table.take(pa.array(np.asarray(rows, dtype=np.int64))))

    def first_of_each_class(self, count: int) -> ImageTable:
        """The first ``count`` rows of each label, in the table's order; ledgers are dropped."""
        labels = self.labels()
        rank = np.empty(len(labels), dtype=np.int64)  # of each row among those of its label
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            rank[members] = np.arange(len(members))
        return self.take(np.flatnonzero(rank < count))

    def row(self, position: int) -> dict[str, Any]:
        """One row as a dictionary."""
        return self.table.slice(position, 1).to_pylist()[0]

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
        for value in self.table.column("image"):
            yield value["bytes"].as_py()
