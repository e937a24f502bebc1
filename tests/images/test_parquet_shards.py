"""Tables that lie in Parquet files: that they read what they are asked for, and little else."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval_vs_diffusion.images.parquet_shards import ParquetShards

SCHEMA = pa.schema([pa.field("number", pa.int64()), pa.field("text", pa.string()), pa.field("extra", pa.int32())])
GROUPS = ((4, 4, 2), (4, 1), (3,))  # rows of each shard's groups: 10, 5 and 3
SIZE = 18


@pytest.fixture
def shards(tmp_path) -> ParquetShards:
    """Rows 0 to 17 in three shards; the second has no column `extra`."""
    files, start = [], 0
    for number, groups in enumerate(GROUPS):
        files.append(tmp_path / f"{number}.parquet")
        names = ["number", "text"] if number == 1 else SCHEMA.names
        with pq.ParquetWriter(files[-1], pa.schema([SCHEMA.field(name) for name in names])) as writer:
            for rows in groups:
                numbers = np.arange(start, start + rows)
                columns = {"number": numbers, "text": [f"row {n}" for n in numbers], "extra": -numbers.astype(np.int32)}
                writer.write_table(pa.table({name: columns[name] for name in names}, schema=writer.schema))
                start += rows
    return ParquetShards(files, SCHEMA)


@pytest.fixture
def read(monkeypatch) -> list[int]:
    """First rows of the groups that are read from disk, in order."""
    groups, real = [], pq.ParquetFile.read_row_group

    def noting(file, group, *arguments, **keywords):
        table = real(file, group, *arguments, **keywords)
        groups.append(table["number"][0].as_py())
        return table

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", noting)
    return groups


def numbers(table: pa.Table) -> list[int]:
    return table["number"].to_pylist()


def test_all_rows_come_in_order_and_a_column_that_a_shard_lacks_is_null(shards):
    assert shards.num_rows == SIZE
    whole = shards.whole()
    assert whole.schema.equals(SCHEMA)
    assert numbers(whole) == list(range(SIZE))
    extra = [-n for n in range(10)] + [None] * 5 + [-15, -16, -17]
    assert whole["extra"].to_pylist() == extra
    assert shards.column("extra").to_pylist() == extra
    assert shards.column("extra").type == pa.int32()
    assert shards.column("text").to_pylist() == [f"row {n}" for n in range(SIZE)]
    assert [len(part) for part in shards.column_parts("extra")][1] == 5


def test_rows_come_in_the_order_in_which_they_are_asked_for_and_as_often(shards):
    asked = [17, 3, 3, 0, 10, 9, 14, 3]
    taken = shards.take(np.array(asked))
    assert numbers(taken) == asked
    assert taken["text"].to_pylist() == [f"row {n}" for n in asked]
    assert taken["extra"].to_pylist() == [None if 10 <= n < 15 else -n for n in asked]
    assert numbers(shards.take(np.arange(SIZE)[::-1])) == list(range(SIZE))[::-1]


@pytest.mark.parametrize("seed", range(5))
def test_any_rows_are_those_of_the_whole_table(shards, seed):
    asked = np.random.default_rng(seed).integers(0, SIZE, 30)
    assert shards.take(asked).equals(shards.whole().take(pa.array(asked)).cast(SCHEMA))


def test_of_no_rows_there_is_a_table_with_its_columns(shards, tmp_path):
    assert shards.take(np.zeros(0, dtype=np.int64)).schema.equals(SCHEMA)
    empty = ParquetShards([], SCHEMA)
    assert (empty.num_rows, len(empty.whole()), empty.column("text").to_pylist()) == (0, 0, [])
    pq.write_table(SCHEMA.empty_table(), tmp_path / "none.parquet")
    without_rows = ParquetShards([tmp_path / "none.parquet"], SCHEMA)
    assert (without_rows.num_rows, without_rows.whole().num_rows, list(without_rows.batches(3))) == (0, 0, [])


@pytest.mark.parametrize("row", [SIZE, -1, 10**9])
def test_a_row_that_is_not_there_is_named(shards, row):
    with pytest.raises(IndexError, match=f"row {row} of a table with 18 rows"):
        shards.take(np.array([0, row]))


def test_batches_are_all_rows_in_order_however_the_files_are_cut(shards):
    assert [numbers(batch) for batch in shards.batches(7)] == [
        list(range(7)),
        list(range(7, 14)),
        list(range(14, 18)),
    ]


def test_only_groups_that_hold_a_row_are_read_and_each_once(shards, read):
    shards.take(np.array([13, 9, 1, 9, 8, 0]))
    assert read == [0, 8, 10]  # rows 0 to 3, 8 to 9 and 10 to 13
    shards.take(np.array([9, 2, 14]))
    assert read == [0, 8, 10, 14]  # what was read before is at hand


def test_what_was_used_last_is_kept_as_long_as_its_bytes_allow(shards, read, monkeypatch):
    first = shards.take(np.arange(4)).nbytes
    # Room for two groups of four rows, whose size is that of the first or a little less.
    monkeypatch.setattr(shards, "_most_bytes", 2 * first + 16)
    shards.take(np.array([4]))
    shards.take(np.array([0]))  # used again, so row 4's group is the one that was used longest ago
    shards.take(np.array([10]))
    assert read == [0, 4, 10]
    shards.take(np.array([1]))
    assert read == [0, 4, 10]
    shards.take(np.array([5]))
    assert read == [0, 4, 10, 4]  # it had to go
    assert shards._bytes_kept == sum(table.nbytes for table in shards._kept.values()) <= 2 * first + 16


def test_a_group_that_is_larger_than_what_is_kept_is_kept_alone(shards, read, monkeypatch):
    monkeypatch.setattr(shards, "_most_bytes", 1)
    for row in (0, 1, 4, 5, 0):
        assert numbers(shards.take(np.array([row]))) == [row]
    assert read == [0, 4, 0]


def test_thousands_of_shards_are_not_all_open_at_once(tmp_path):
    files = []
    for number in range(70):
        files.append(tmp_path / f"{number}.parquet")
        pq.write_table(pa.table({"number": [number], "text": ["x"], "extra": [0]}).cast(SCHEMA), files[-1])
    many = ParquetShards(files, SCHEMA)
    assert many.column("number").to_pylist() == list(range(70))
    assert numbers(many.take(np.arange(70)[::-1])) == list(range(70))[::-1]
    assert len(many._open) <= 64


def test_one_column_is_read_without_the_others(shards, monkeypatch):
    columns, real = [], pq.ParquetFile.read
    monkeypatch.setattr(
        pq.ParquetFile, "read", lambda file, columns_=None, **how: columns.append(how) or real(file, **how)
    )
    shards.column("number")
    assert columns == [{"columns": ["number"]}] * 3
