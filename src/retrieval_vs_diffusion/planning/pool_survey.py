"""How many images a pool has, told without reading it, and the first of them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval_vs_diffusion.images.formats.web_dataset import WebDataset
from retrieval_vs_diffusion.images.image_files import ENDINGS
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.planning.target_survey import first_rows
from retrieval_vs_diffusion.remote.ranges import opened_in_part
from retrieval_vs_diffusion.remote.walking import walk


@dataclass(frozen=True)
class PoolSize:
    """How many images a pool has.

    Args:
        rows: images, or links.
        exact: whether they were counted; else they are an estimate.
        how: what tells, in words.
    """

    rows: int
    exact: bool
    how: str


@dataclass(frozen=True)
class PoolSample:
    """A pool's size and its first images.

    Args:
        size: of the whole pool.
        usable_share: of the images that were looked at those that can be used.
        images: the sample.
        seconds_an_image: to read one.
    """

    size: PoolSize
    usable_share: float
    images: ImageTable
    seconds_an_image: float


def survey_pool(reader: Any, limit: int) -> PoolSample:
    """Tell a pool's size, and read its first ``limit`` images.

    Args:
        reader: a part with ``read()`` and, where the pool lies in files, ``reads``.
        limit: images of the sample.
    """
    started = time.perf_counter()
    read = reader.read()
    sample = first_rows(read, limit)
    whole = read if isinstance(read, ImageTable) else None
    seconds = (time.perf_counter() - started) / max(1, len(whole) if whole is not None else len(sample))
    if whole is not None:
        size = PoolSize(len(whole), True, "read")
    else:
        size = _at_most(size_of_files(reader.reads, len(sample)), getattr(reader, "at_most", None))
    looked_at, used = sample.ledger.get("read"), sample.ledger.get("used")
    share = used / looked_at if looked_at and used else 1.0
    return PoolSample(size, share, ImageTable(sample.table, sample.ledger), seconds)


def _at_most(size: PoolSize, limit: int | None) -> PoolSize:
    return size if limit is None or size.rows <= limit else PoolSize(limit, size.exact, "pool.reader.at_most")


def size_of_files(places: tuple[Path, ...], at_least: int) -> PoolSize:
    """The images in files and folders: from what describes them, or from the bytes of the first.

    Args:
        places: files and folders.
        at_least: images that are known to be there.
    """
    files = [file for place in places for file in _files_of(place)]
    tars = [file for file in files if file.suffix.lower() == ".tar"]
    if tars:
        return _of_tars(tars, at_least)
    images = sum(file.suffix.lower() in ENDINGS for file in files)
    if images:
        return PoolSize(images, True, "files counted")
    tables = [file for file in files if file.suffix.lower() in (".parquet", ".arrow")]
    if tables:
        return PoolSize(sum(_rows_of(file) for file in tables), True, "told by the tables' metadata")
    return PoolSize(at_least, False, "nothing tells how many more there are than the sample")


def _files_of(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return
    for folder, folders, names in walk(place):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (folder / name for name in sorted(names) if not name.startswith("."))


def _of_tars(tars: list[Path], at_least: int) -> PoolSize:
    told = [_told_by_img2dataset(tar) for tar in tars]
    if all(each is not None for each in told):
        return PoolSize(sum(each for each in told if each is not None), True, "told by img2dataset's statistics")
    first = sum(1 for _ in WebDataset(path=tars[0]).entries())  # type: ignore[call-arg]
    whole, of_first = sum(tar.stat().st_size for tar in tars), max(1, tars[0].stat().st_size)
    rows = max(at_least, round(first * whole / of_first))
    if len(tars) == 1:
        return PoolSize(rows, True, "its one tar counted")
    return PoolSize(rows, False, f"the first of {len(tars)} tars counted, the others by their bytes")


def _told_by_img2dataset(tar: Path) -> int | None:
    """Images of a shard by the file ``00000_stats.json`` that img2dataset leaves beside it."""
    try:
        return int(json.loads(tar.with_name(f"{tar.stem}_stats.json").read_text())["successes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _rows_of(table: Path) -> int:
    if table.suffix.lower() == ".parquet":
        with opened_in_part(table) as part:
            return pq.read_metadata(part).num_rows
    with pa.memory_map(os.fspath(table)) as file:  # of each batch only the header is touched
        try:
            reader = pa.ipc.open_file(file)
            return sum(reader.get_batch(number).num_rows for number in range(reader.num_record_batches))
        except pa.ArrowInvalid:
            file.seek(0)
            return sum(batch.num_rows for batch in pa.ipc.open_stream(file))
