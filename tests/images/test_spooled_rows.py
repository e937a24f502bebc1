"""Rows that wait for their order: the same table, whether they waited in memory or in a file."""

import gc

import numpy as np
import pytest

from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.image_table_writer import write_shards
from retrieval_vs_diffusion.images.spooled_rows import SpooledRows
from retrieval_vs_diffusion.unfinished import kept_in, unfinished

BYTES = 80  # fewer than the PNG of one of these pictures has


def row(number: int) -> dict:
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return image_row(pixels, f"row/{number}", label=number % 3, similarity=number / 8, prompt=None)


def spooled(rows: int, in_memory_up_to: int = 2 * BYTES) -> SpooledRows:
    made = SpooledRows(in_memory_up_to=in_memory_up_to)
    assert [made.add(row(number)) for number in range(rows)] == list(range(rows))
    assert len(made) == rows
    return made


ORDER = [7, 0, 3, 299, 128, 3, 1]  # one twice, most not at all; of several groups of 128


def test_a_table_from_the_file_is_that_from_memory():
    here, there = (spooled(300, limit).table(ORDER, {"steps": [1]}) for limit in (10**9, 2 * BYTES))
    assert here.table.equals(ImageTable.from_rows([row(number) for number in ORDER]).table)
    assert there.table.equals(here.table)
    assert there.ledger == here.ledger == {"steps": [1]}
    again = spooled(300).table(ORDER)  # of which nothing was read as a whole
    assert len(again) == len(ORDER)
    assert again.column("image_id") == [f"row/{number}" for number in ORDER]
    assert again.labels().tolist() == [number % 3 for number in ORDER]
    assert again.rows_with("image_id", {"row/3"}).tolist() == [2, 5]
    assert list(again.encoded()) == list(here.encoded())
    assert again.take([6, 0]).column("image_id") == ["row/1", "row/7"]
    assert again.first_of_each_class(1).column("image_id") == ["row/7", "row/0", "row/299"]  # labels 1, 0, 2
    with pytest.raises(IndexError, match="rows 7 to 7 of a table with 7 rows"):
        again.take([7])


def test_written_shards_are_the_same(tmp_path):
    rows = {}
    for name, limit in (("memory", 10**9), ("file", 2 * BYTES)):
        (tmp_path / name).mkdir()
        write_shards(spooled(300, limit).table(range(300)), tmp_path / name)
        rows[name] = (tmp_path / name / "shard-00000.parquet").read_bytes()
    assert rows["file"] == rows["memory"]


def test_a_file_is_made_when_rows_are_too_large_for_memory_and_goes_with_the_table(tmp_path):
    with kept_in(tmp_path / ".step.unfinished" / "f"):
        made = SpooledRows(unfinished().scratch, in_memory_up_to=1000)
        for number in range(3):  # some 250 bytes each
            made.add(row(number))
        assert not list(tmp_path.rglob("*"))
        for number in range(3, 40):
            made.add(row(number))
        table = made.table(range(40))
    assert len(list(tmp_path.rglob("rows.parquet"))) == 1
    assert table.row(39)["image_id"] == "row/39"
    del made, table
    gc.collect()
    assert not list(tmp_path.rglob("rows.parquet"))


def test_no_rows_make_an_empty_table():
    assert len(SpooledRows().table([])) == len(spooled(300).table([])) == 0
