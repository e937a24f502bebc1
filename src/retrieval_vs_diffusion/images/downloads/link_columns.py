"""The columns of a pool of links: found under the names that LAION and img2dataset give them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval_vs_diffusion.errors import UserError, did_you_mean

_URL = ("url", "image_url")
_CAPTION = ("caption", "text")
_BATCH = 512  # rows in memory at once: more are no faster, and a caption may be a megabyte


@dataclass(frozen=True)
class LinkColumns:
    """What the columns are called; None where there is none.

    Args:
        url: the image's address.
        caption: its text.
        unsafe: probability that it is not safe for work.
        nsfw: the same as a word, ``NSFW`` for those that are not.
        watermark: probability of a watermark.
        similarity: of image and caption.
    """

    url: str
    caption: str | None
    unsafe: str | None
    nsfw: str | None
    watermark: str | None
    similarity: str | None


@dataclass(frozen=True)
class Link:
    """One row of metadata; None where nothing is said."""

    url: str | None
    caption: str | None
    unsafe: float | None
    is_nsfw: bool
    watermark: float | None
    similarity: float | None


def find_columns(path: Path, schema: pa.Schema, url: str | None, caption: str | None) -> LinkColumns:
    """Find the columns of one file of metadata, however their names are capitalised.

    Args:
        path: the file, for messages.
        schema: its columns.
        url: name of the column with the addresses, where the user gives it.
        caption: the same of the captions.

    Raises:
        UserError: if a column that was named is not there or not of its kind, or none holds addresses.
    """
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise UserError(f'{path}: has the column "{twice[0]}" more than once; give each its own name')
    by_name = {name.lower(): name for name in reversed(schema.names)}

    def named(key: str, name: str | None) -> str | None:
        if name is not None and name not in schema.names:
            raise UserError(f'{path}: {key} is "{name}", but no column is; {did_you_mean(name, schema.names)}')
        if name is not None and not _is_text(schema.field(name).type):
            raise UserError(f'{path}: {key} is "{name}", which holds {schema.field(name).type}; it must hold text')
        return name

    def text(candidates: Sequence[str]) -> str | None:
        found = (by_name[each] for each in candidates if each in by_name)
        return next((name for name in found if _is_text(schema.field(name).type)), None)

    def number(name: str) -> str | None:
        found = by_name.get(name)
        if found is not None and not _is_number(schema.field(found).type):  # passed over, it would let all through
            raise UserError(f"{path}: column {found} holds {schema.field(found).type}; it must hold numbers")
        return found

    address = named("url_column", url) or text(_URL)
    if address is None:
        raise UserError(f"{path}: no column of addresses; name it as url_column; found {', '.join(schema.names)}")
    nsfw = text(("nsfw",))
    return LinkColumns(
        url=address,
        caption=named("caption_column", caption) or text(_CAPTION),
        unsafe=number("punsafe") or (number("nsfw") if nsfw is None else None),
        nsfw=nsfw,
        watermark=number("pwatermark"),
        similarity=number("similarity"),
    )


def read_links(path: Path, columns: LinkColumns) -> Iterator[Link]:
    """The rows of one file of metadata in its order, read batch by batch."""
    names = dict.fromkeys(name for name in vars(columns).values() if name is not None)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH, columns=list(names)):

            def values(name: str | None, batch: pa.RecordBatch = batch) -> list[Any]:
                return [None] * batch.num_rows if name is None else _values(batch.column(name))

            yield from map(
                Link,
                map(_text, values(columns.url)),
                map(_text, values(columns.caption)),
                map(_number, values(columns.unsafe)),
                map(_says_nsfw, values(columns.nsfw)),
                map(_number, values(columns.watermark)),
                map(_number, values(columns.similarity)),
            )


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(
        check(kind)
        for check in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_string_view,
            pa.types.is_binary_view,
            pa.types.is_null,  # of a file in which no row says anything
        )
    )


def _is_number(kind: pa.DataType) -> bool:
    return any(
        check(kind) for check in (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean, pa.types.is_null)
    )


def _values(column: pa.Array) -> list[Any]:
    try:
        return column.to_pylist()
    except UnicodeDecodeError:  # text of the web, written without a check
        column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        return column.cast(pa.large_binary()).to_pylist()


def _text(value: str | bytes | None) -> str | None:
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return text.strip() or None if text is not None else None


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _says_nsfw(value: str | bytes | None) -> bool:
    return (_text(value) or "").upper() == "NSFW"
