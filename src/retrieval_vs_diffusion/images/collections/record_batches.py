"""Tables in Parquet and Arrow files, read a few rows at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.cell_values import check_batch, value_of
from retrieval_vs_diffusion.remote.ranges import opened_in_part
from retrieval_vs_diffusion.remote.remote_path import RemotePath

ENDINGS = (".parquet", ".arrow", ".ipc", ".feather")
ROWS_AT_ONCE = 32
DAMAGE = (pa.ArrowException, OSError, UnicodeError, RecursionError)  # what Arrow raises on a file that has some
_FILE_MAGIC = b"ARROW1"


class BrokenShardError(UserError):
    """A file is damaged; others beside it may be whole."""


def schema_of(shard: Path) -> pa.Schema:
    """The columns of a file; its rows are not read.

    Raises:
        BrokenShardError: if it is no whole Parquet or Arrow file.
    """
    try:
        schema = _schema_of(shard)
        _check_names(schema)
    except UnicodeEncodeError as error:
        raise BrokenShardError(f"{shard}: its name or a folder's is no UTF-8, which Arrow needs; rename it") from error
    except DAMAGE as error:
        raise _unreadable(shard, error) from error
    return schema


def common_schema(shards: Sequence[Path], columns: Sequence[str]) -> pa.Schema:
    """The schema that all shards share in these columns.

    Raises:
        UserError: naming the shard and the column that differ from the first shard's.
    """
    first = schema_of(shards[0])
    classes = {column: class_names_in(first, column) for column in columns}
    for shard in shards[1:]:
        schema = schema_of(shard)
        for column in columns:
            if column not in schema.names:
                raise UserError(f'{shard}: lacks the column "{column}", which {shards[0].name} has; shards must agree')
            here, there = schema.field(column).type, first.field(column).type
            if here != there:
                raise UserError(
                    f'{shard}: the column "{column}" is {here}, in {shards[0].name} it is {there}; shards must agree'
                )
            if class_names_in(schema, column) != classes[column]:
                raise UserError(
                    f'{shard}: the column "{column}" has other class names than in {shards[0].name}; shards must agree'
                )
    return first


def batches_of(
    shard: Path, columns: Sequence[str], wanted: Callable[[int], bool] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Row number and values by column of each wanted row; no more than some rows are in memory.

    Args:
        shard: a Parquet or Arrow file.
        columns: what is read.
        wanted: by row number whether the row is wanted; row groups without one are not read. None for all.

    Raises:
        BrokenShardError: if the file is damaged.
    """
    start = 0
    try:
        for rows, read in _groups(shard, list(columns)):
            numbers = range(start, start + rows)
            start += rows
            if wanted is None or any(map(wanted, numbers)):
                yield from _rows(read(), numbers, wanted)
    except DAMAGE as error:
        raise _unreadable(shard, error) from error


def class_names_in(schema: pa.Schema, column: str) -> list[str] | None:
    """Names of a column's integers, as ``datasets`` keeps them beside the table; None where there are none."""
    feature = hugging_face_features(schema).get(column, {})
    names = feature.get("names") if feature.get("_type") == "ClassLabel" else None
    return [str(name) for name in names] if isinstance(names, list) else None


def hugging_face_features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """What ``datasets`` says of the columns; nothing where it did not write the file."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    described = features.items() if isinstance(features, dict) else ()
    return {name: feature for name, feature in described if isinstance(feature, dict)}


def _schema_of(shard: Path) -> pa.Schema:
    if isinstance(shard, RemotePath):
        return _schema_from_afar(shard)
    if shard.suffix.lower() == ".parquet":
        return pq.read_schema(shard)
    with pa.memory_map(str(shard)) as file:
        return (pa.ipc.open_file(file) if _is_file_format(shard) else pa.ipc.open_stream(file)).schema


def _schema_from_afar(shard: RemotePath) -> pa.Schema:
    """The same of a remote file, most of which stays where it is."""
    with opened_in_part(shard) as file:
        if shard.suffix.lower() == ".parquet":
            return pq.read_schema(file)
        is_file_format = file.read(len(_FILE_MAGIC)) == _FILE_MAGIC
        file.seek(0)
        return (pa.ipc.open_file(file) if is_file_format else pa.ipc.open_stream(file)).schema


def _check_names(fields: Iterable[pa.Field]) -> None:
    """Look at all names, within columns too: one that is no UTF-8 raises whenever it is looked at."""
    for field in fields:
        _ = field.name
        _check_names(field.type.field(number) for number in range(field.type.num_fields))


def _groups(shard: Path, columns: list[str]) -> Iterator[tuple[int, Callable[[], Iterator[pa.RecordBatch]]]]:
    """Of each row group, or record batch, the number of rows and what reads it."""
    if shard.suffix.lower() == ".parquet":
        # Without pre-buffering, and with a buffer, a column chunk of gigabytes is read page by page.
        with pq.ParquetFile(shard, pre_buffer=False, buffer_size=1 << 20) as file:
            # A value that all rows of a chunk share is stored once, and takes its memory for each row that is read: of
            # images one comes after the other, which takes no longer.
            heavy = any(_may_be_heavy(file.schema_arrow.field(name).type) for name in columns)
            rows = 1 if heavy else ROWS_AT_ONCE
            for group in range(file.num_row_groups):
                yield (
                    file.metadata.row_group(group).num_rows,
                    lambda group=group: file.iter_batches(  # type: ignore[misc]
                        rows, row_groups=[group], columns=columns, use_threads=False
                    ),
                )
        return
    with pa.memory_map(os.fspath(shard)) as file:
        if _is_file_format(shard):
            reader = pa.ipc.open_file(file)
            batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
        else:
            batches = iter(pa.ipc.open_stream(file))
        for batch in batches:
            yield batch.num_rows, lambda batch=batch: _slices(check_batch(batch.select(columns)))  # type: ignore[misc]


def _may_be_heavy(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_nested(kind)


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, ROWS_AT_ONCE):
        yield batch.slice(start, ROWS_AT_ONCE)


def _rows(
    batches: Iterator[pa.RecordBatch], numbers: range, wanted: Callable[[int], bool] | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    start = numbers.start
    for batch in batches:
        for within in range(batch.num_rows):
            if wanted is None or wanted(start + within):
                yield start + within, {name: value_of(batch.column(name)[within]) for name in batch.schema.names}
        start += batch.num_rows


def _is_file_format(shard: Path) -> bool:
    with shard.open("rb") as file:
        return file.read(len(_FILE_MAGIC)) == _FILE_MAGIC


def _unreadable(shard: Path, error: Exception) -> BrokenShardError:
    reason = " ".join(str(error).split())
    return BrokenShardError(f"{shard}: is no whole Parquet or Arrow file ({reason[:200]}); bring it again")
