"""A few image rows in a file of their own: a unit of unfinished work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval_vs_diffusion.images.image_table import SCHEMA
from retrieval_vs_diffusion.unfinished import BrokenUnitError

_KEY = b"unit"


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], key: str) -> None:
    """Write rows as ``image_row`` makes them.

    Args:
        path: the file.
        rows: of one batch.
        key: a digest of what they are made of.
    """
    schema = SCHEMA.with_metadata({_KEY: key.encode()})
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)


def read_rows(path: Path, key: str) -> list[dict[str, Any]]:
    """Read what ``write_rows`` wrote.

    Raises:
        BrokenUnitError: if the file is not whole, or of another key.
    """
    try:
        with pq.ParquetFile(path) as file:
            found = (file.schema_arrow.metadata or {}).get(_KEY)
            rows = file.read().to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BrokenUnitError(f"no whole rows ({error})") from error
    if found != key.encode():
        raise BrokenUnitError("rows of something else")
    return rows
