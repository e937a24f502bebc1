"""Image tables as shards on disk: where they are cut, and that what is made while it is written is not held."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from retrieval_vs_diffusion.images import image_table_writer
from retrieval_vs_diffusion.images.image_stream import ImageStream
from retrieval_vs_diffusion.images.image_table import SCHEMA, ImageTable
from retrieval_vs_diffusion.images.image_table_writer import write_shards


def row(number: int, size: int = 10) -> dict:
    image = {"bytes": np.random.default_rng(number).bytes(size), "path": None}  # which nothing makes smaller
    return {"image_id": f"id/{number}", "content_hash": str(number), "image": image, "label": number}


def rows_of(folder, shards) -> list[int]:
    return [each for shard in shards for each in pq.read_table(folder / shard["file"])["label"].to_pylist()]


def groups_of(folder, shards) -> list[list[int]]:
    files = [pq.read_metadata(folder / shard["file"]) for shard in shards]
    return [[file.row_group(group).num_rows for group in range(file.num_row_groups)] for file in files]


@pytest.fixture(params=["table", "stream"])
def images(request):
    """Makes so many rows, as a table or as a stream."""

    def make(count: int, size: int = 10) -> ImageTable | ImageStream:
        rows = (row(number, size) for number in range(count))
        return ImageTable.from_rows(rows) if request.param == "table" else ImageStream(rows)

    return make


@pytest.fixture
def small(monkeypatch):
    """Groups of three rows, shards of eight."""
    monkeypatch.setattr(image_table_writer, "ROWS_PER_GROUP", 3)
    monkeypatch.setattr(image_table_writer, "ROWS_PER_SHARD", 8)


def test_shards_are_cut_by_rows_between_groups(images, small, tmp_path):
    shards = write_shards(images(20), tmp_path)
    assert shards == [
        {"file": "shard-00000.parquet", "rows": 6},  # with a third group it would be nine
        {"file": "shard-00001.parquet", "rows": 6},
        {"file": "shard-00002.parquet", "rows": 8},  # the last group has two
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [shard["file"] for shard in shards]
    assert groups_of(tmp_path, shards) == [[3, 3], [3, 3], [3, 3, 2]]
    assert rows_of(tmp_path, shards) == list(range(20))


def test_a_shard_that_is_full_of_bytes_is_the_last_of_its_size(images, small, tmp_path, monkeypatch):
    monkeypatch.setattr(image_table_writer, "ROWS_PER_SHARD", 1000)
    monkeypatch.setattr(image_table_writer, "_BYTES_PER_SHARD", 15_000)
    shards = write_shards(images(14, size=2000), tmp_path)
    # Three rows are a little more than 6 kB, so a third group begins with 12 kB and ends with 18, where it is cut.
    assert [shard["rows"] for shard in shards] == [9, 5]
    assert rows_of(tmp_path, shards) == list(range(14))


def test_a_streams_groups_are_cut_by_bytes_too(small, tmp_path, monkeypatch):
    monkeypatch.setattr(image_table_writer, "_BYTES_PER_GROUP", 3000)
    shards = write_shards(ImageStream(row(number, size=2000) for number in range(5)), tmp_path)
    assert groups_of(tmp_path, shards) == [[2, 2, 1]]  # the second of 2 kB makes it more than 3 kB


def test_no_more_rows_of_a_stream_are_made_than_a_group_takes_before_it_is_written(small, tmp_path, monkeypatch):
    made, written = [], []
    real = pq.ParquetWriter.write_table

    def noting(writer, table, *arguments, **keywords):
        written.append((len(made), table.num_rows))
        return real(writer, table, *arguments, **keywords)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", noting)
    write_shards(ImageStream(made.append(number) or row(number) for number in range(8)), tmp_path)
    assert written == [(3, 3), (6, 3), (8, 2)]


def test_of_nothing_there_is_no_shard(images, tmp_path):
    assert write_shards(images(0), tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_rows_without_an_image_are_written_as_they_are(tmp_path):
    links = [{**row(number), "image": image} for number, image in enumerate((None, {"bytes": None, "path": "x"}))]
    shards = write_shards(ImageStream(links), tmp_path)
    table = pq.read_table(tmp_path / shards[0]["file"])
    assert table["image"].to_pylist() == [None, {"bytes": None, "path": "x"}]
    assert table.schema.metadata[b"huggingface"] == SCHEMA.metadata[b"huggingface"]


def test_where_a_stream_breaks_its_shard_is_closed_and_the_error_comes_through(small, tmp_path):
    def breaking():
        yield from map(row, range(4))
        raise ValueError("the disk is full")

    with pytest.raises(ValueError, match="the disk is full"):
        write_shards(ImageStream(breaking()), tmp_path)
    assert pq.read_table(tmp_path / "shard-00000.parquet").num_rows == 3


def test_a_stream_with_an_unknown_column_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no column \['captoin'\]"):
        write_shards(ImageStream([{**row(0), "captoin": "x"}]), tmp_path)
