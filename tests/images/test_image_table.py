import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import SCHEMA, ImageTable, content_hash, image_row
from retrieval_vs_diffusion.images.parquet_shards import ParquetShards


def picture(value: int, side: int = 16) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


@pytest.fixture
def three() -> ImageTable:
    rows = [image_row(picture(10 * n), f"id/{n}", label=n % 2, caption=f"number {n}") for n in range(3)]
    return ImageTable.from_rows(rows, ledger={"seconds": 1.5})


def test_the_columns_are_those_of_the_schema_in_its_order(three):
    assert three.table.column_names == SCHEMA.names
    assert SCHEMA.names[:5] == ["image_id", "content_hash", "image", "label", "caption"]


def test_columns_that_a_row_lacks_are_null(three):
    assert three.row(1)["caption"] == "number 1"
    assert three.row(1)["prompt"] is None


def test_an_unknown_column_is_refused_by_name():
    with pytest.raises(ValueError, match=r"an image table has no column \['captoin'\]"):
        ImageTable.from_rows([image_row(picture(0), "a", captoin="x")])


def test_pixels_come_back_as_one_array(three):
    assert three.pixels().shape == (3, 16, 16, 3)
    assert three.pixels()[:, 0, 0, 0].tolist() == [0, 10, 20]


def test_pixels_of_several_sizes_are_refused_and_named():
    mixed = ImageTable.from_rows([image_row(picture(0, 8), "a"), image_row(picture(0, 16), "b")])
    with pytest.raises(ValueError, match=r"found \[\(8, 8, 3\), \(16, 16, 3\)\]"):
        mixed.pixels()
    with pytest.raises(ValueError, match="found none"):
        ImageTable.from_rows([]).pixels()


def test_labels_are_integers_and_a_missing_one_is_an_error(three):
    assert three.labels().tolist() == [0, 1, 0]
    pool = ImageTable.from_rows([image_row(picture(0), "a"), image_row(picture(1), "b", label=1)])
    with pytest.raises(ValueError, match="1 of 2 images have no label"):
        pool.labels()


def test_take_gives_rows_in_the_order_asked(three):
    assert three.take([2, 0]).column("image_id") == ["id/2", "id/0"]
    assert len(three.take([])) == 0


def test_concatenation_keeps_order_and_drops_ledgers(three):
    both = ImageTable.concatenate([three.take([1]), three])
    assert both.column("image_id") == ["id/1", "id/0", "id/1", "id/2"]
    assert both.ledger == {}
    assert len(ImageTable.concatenate([])) == 0


def test_the_first_of_each_class_keep_the_tables_order():
    rows = [image_row(picture(n), f"id/{n}", label=label) for n, label in enumerate([2, 0, 2, 2, 0, 5])]
    images = ImageTable.from_rows(rows, ledger={"steps": [{}]})
    assert images.first_of_each_class(2).column("image_id") == ["id/0", "id/1", "id/2", "id/4", "id/5"]  # not id/3
    assert images.first_of_each_class(2).ledger == {}  # it tells of all images
    assert len(images.first_of_each_class(0)) == 0
    assert len(images.first_of_each_class(9)) == 6
    assert len(ImageTable.from_rows([]).first_of_each_class(3)) == 0


def test_equal_pixels_have_equal_hashes_and_other_shapes_have_others():
    assert content_hash(picture(3)) == content_hash(codec.decode(codec.encode(picture(3))))
    assert content_hash(picture(3)) != content_hash(picture(4))
    assert content_hash(np.zeros((2, 8, 3), np.uint8)) != content_hash(np.zeros((4, 4, 3), np.uint8))  # 48 zeros each
    assert content_hash(picture(3)[:, ::-1]) == content_hash(picture(3))  # whatever the strides


def test_a_table_with_other_columns_is_refused():
    with pytest.raises(ValueError, match="Target schema's field names"):
        ImageTable(pa.table({"image_id": ["a"]}))


def test_pandas_opens_the_parquet_as_it_is(three, tmp_path):
    pq.write_table(three.table, tmp_path / "shard.parquet")
    frame = pd.read_parquet(tmp_path / "shard.parquet")
    assert frame["caption"].tolist() == ["number 0", "number 1", "number 2"]
    assert np.array_equal(codec.decode(frame["image"][2]["bytes"]), picture(20))


def test_hugging_face_finds_its_image_column_in_the_parquet(three, tmp_path):
    pq.write_table(three.table, tmp_path / "shard.parquet")
    metadata = pq.read_schema(tmp_path / "shard.parquet").metadata
    assert metadata[b"huggingface"] == b'{"info": {"features": {"image": {"_type": "Image"}}}}'


# ---- tables that lie on disk


@pytest.fixture(params=["in memory", "on disk"])
def many(request, tmp_path) -> ImageTable:
    """Eleven rows, in memory or in two shards of groups of two."""
    refused = {2: "unsafe: punsafe 0.9", 9: "unsafe: punsafe 0.8"}
    rows = [
        image_row(picture(20 * n), f"id/{n}", label=n % 3, caption=f"number {n}", refused=refused.get(n))
        for n in range(11)
    ]
    table = ImageTable.from_rows(rows, ledger={"kind": "toy"})
    if request.param == "in memory":
        return table
    files = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    for file, part in zip(files, (table.table.slice(0, 5), table.table.slice(5)), strict=True):
        pq.write_table(part, file, row_group_size=2)
    return ImageTable(ParquetShards(files, SCHEMA), table.ledger)


def test_a_table_says_the_same_wherever_it_lies(many):
    assert (len(many), many.ledger) == (11, {"kind": "toy"})
    assert many.column("caption")[4:6] == ["number 4", "number 5"]
    assert many.labels().tolist() == [n % 3 for n in range(11)]
    assert [row["image_id"] for row in many.rows([10, 0, 5])] == ["id/10", "id/0", "id/5"]
    assert many.row(7)["caption"] == "number 7"
    assert many.take(np.array([9, 2])).column("refused") == ["unsafe: punsafe 0.8", "unsafe: punsafe 0.9"]
    assert many.take(range(3, 6)).column("image_id") == ["id/3", "id/4", "id/5"]
    assert many.pixels()[:, 0, 0, 0].tolist() == [20 * n for n in range(11)]
    assert [codec.decode(data)[0, 0, 0] for data in many.encoded()] == [20 * n for n in range(11)]
    assert ImageTable.concatenate([many, many.take([1])]).column("image_id")[-2:] == ["id/10", "id/1"]
    assert many.table.column_names == SCHEMA.names


def test_batches_are_all_rows_a_few_at_a_time(many):
    batches = list(many.batches(4))
    assert [len(batch) for batch in batches] == [4, 4, 3]
    assert [each for batch in batches for each in batch.column("image_id")] == many.column("image_id")
    assert batches[0].ledger == {}
    assert list(many.take([]).batches(4)) == []


@pytest.mark.parametrize(
    ("column", "values", "rows"),
    [
        ("refused", None, [2, 9]),
        ("caption", None, list(range(11))),
        ("prompt", None, []),
        ("image_id", {"id/10", "id/0", "id/6", "elsewhere"}, [0, 6, 10]),
        ("image_id", frozenset(), []),
        ("refused", {"unsafe: punsafe 0.8"}, [9]),
        ("prompt", {"x"}, []),
    ],
)
def test_rows_with_a_value_or_with_one_of_several_are_found(many, column, values, rows):
    found = many.rows_with(column, values)
    assert (found.tolist(), found.dtype) == (rows, np.int64)


def test_an_empty_table_has_no_rows_with_anything():
    empty = ImageTable.from_rows([])
    assert empty.rows_with("refused").tolist() == empty.rows_with("image_id", {"a"}).tolist() == []


def test_the_first_of_each_class_may_be_as_many_as_each_has(many):
    assert many.first_of_each_class([1, 0, 3]).column("image_id") == ["id/0", "id/2", "id/5", "id/8"]
    assert len(many.first_of_each_class([9, 9, 9])) == 11


@pytest.mark.parametrize("row", [11, -1])
def test_a_row_of_a_table_on_disk_that_is_not_there_is_an_error(many, row):
    with pytest.raises(IndexError):
        many.rows([row])
