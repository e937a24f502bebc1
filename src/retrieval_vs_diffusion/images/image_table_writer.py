"""Image tables written as Parquet shards, a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval_vs_diffusion.images.image_stream import ImageStream
from retrieval_vs_diffusion.images.image_table import SCHEMA, ImageTable
from retrieval_vs_diffusion.images.parquet_shards import ROWS_PER_GROUP

ROWS_PER_SHARD = 10_000
_BYTES_PER_SHARD = 512_000_000
_BYTES_PER_GROUP = 16_000_000
# Encoded images do not get smaller; everything else does.
_COMPRESSION = {name: "none" if name == "image.bytes" else "zstd" for name in ("image.bytes", "image.path")} | {
    name: "zstd" for name in SCHEMA.names if name != "image"
}


def write_shards(images: ImageTable | ImageStream, folder: Path) -> list[dict[str, Any]]:
    """Write the rows into ``shard-00000.parquet`` and on.

    Args:
        images: a stream's rows are made while they are written; no more than a group of them is in memory.
        folder: exists, and is empty.

    Returns:
        For each shard its ``file`` and ``rows``.
    """
    shards: list[dict[str, Any]] = []
    writer, size = None, 0
    try:
        for group in _groups(images):
            if writer is None or shards[-1]["rows"] + group.num_rows > ROWS_PER_SHARD or size > _BYTES_PER_SHARD:
                if writer is not None:
                    writer.close()
                shards.append({"file": f"shard-{len(shards):05d}.parquet", "rows": 0})
                writer, size = pq.ParquetWriter(folder / shards[-1]["file"], SCHEMA, compression=_COMPRESSION), 0
            writer.write_table(group)
            shards[-1]["rows"] += group.num_rows
            size += group.nbytes
    finally:
        if writer is not None:
            writer.close()
    return shards


def _groups(images: ImageTable | ImageStream) -> Iterator[pa.Table]:
    if isinstance(images, ImageTable):
        yield from (batch.table for batch in images.batches(ROWS_PER_GROUP))
        return
    for rows in _parts(images):
        yield ImageTable.from_rows(rows).table


def _parts(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    part: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        part.append(row)
        size += len((row.get("image") or {}).get("bytes") or b"")
        if len(part) >= ROWS_PER_GROUP or size >= _BYTES_PER_GROUP:
            yield part
            part, size = [], 0
    if part:
        yield part
