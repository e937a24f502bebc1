import base64
import io
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from kedro.io import DatasetError
from PIL import Image

from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
from retrieval_vs_diffusion.images import codec, image_table_writer
from retrieval_vs_diffusion.images.image_stream import ImageStream
from retrieval_vs_diffusion.images.image_table import ImageTable

LEDGER = {"classes": {"red": {"asked": 2, "used": 2}}, "seconds": 1.25}


@pytest.fixture
def images(red_and_blue) -> ImageTable:
    return ImageTable(red_and_blue([0, 1, 0, 1, 1]).table, LEDGER)


@pytest.fixture
def dataset(tmp_path) -> ImageTableDataset:
    return ImageTableDataset(filepath=str(tmp_path / "images"))


def test_a_table_comes_back_with_its_ledger(dataset, images):
    assert not dataset.exists()
    dataset.save(images)
    assert dataset.exists()
    again = dataset.load()
    assert again.table.equals(images.table)
    assert again.ledger == LEDGER


def test_many_rows_are_several_shards_in_order(dataset, images, tmp_path, monkeypatch):
    monkeypatch.setattr(image_table_writer, "ROWS_PER_GROUP", 1)
    monkeypatch.setattr(image_table_writer, "ROWS_PER_SHARD", 2)
    dataset.save(images)
    manifest = json.loads((tmp_path / "images" / "manifest.json").read_text())
    assert manifest["rows"] == 5
    assert [(shard["file"], shard["rows"]) for shard in manifest["shards"]] == [
        ("shard-00000.parquet", 2),
        ("shard-00001.parquet", 2),
        ("shard-00002.parquet", 1),
    ]
    assert dataset.load().column("image_id") == images.column("image_id")


def test_pandas_opens_the_folder_as_it_is(dataset, images, tmp_path):
    dataset.save(images)
    frame = pd.read_parquet(sorted((tmp_path / "images").glob("*.parquet")))
    assert frame["label"].tolist() == [0, 1, 0, 1, 1]
    assert np.array_equal(codec.decode(frame["image"][4]["bytes"]), images.pixels()[4])


def test_the_ledger_of_a_stream_is_what_it_is_after_its_last_row(dataset, images):
    ledger = {"kind": "photographs", "rows": 0}

    def rows():
        for row in images.table.to_pylist():
            ledger["rows"] += 1
            yield row
        ledger["left_out"] = ["two that were broken"]

    dataset.save(ImageStream(rows(), ledger))
    again = dataset.load()
    assert again.ledger == {"kind": "photographs", "rows": 5, "left_out": ["two that were broken"]}
    assert again.table.equals(images.table)


def test_a_stream_that_breaks_leaves_the_old_table_whole(dataset, images, tmp_path):
    dataset.save(images)

    def breaking():
        yield images.row(0)
        raise OSError("no space left")

    with pytest.raises(DatasetError, match="no space left"):
        dataset.save(ImageStream(breaking()))
    assert dataset.load().table.equals(images.table)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_no_image_is_read_when_a_table_is_opened(dataset, images, monkeypatch):
    dataset.save(images)
    read, real = [], pq.ParquetFile.read_row_group
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda *given: read.append(given) or real(*given))
    again = dataset.load()
    assert (len(again), again.labels().tolist(), read) == (5, [0, 1, 0, 1, 1], [])
    assert again.row(3) == images.row(3)
    assert len(read) == 1


def test_an_empty_table_is_kept_with_what_was_refused(dataset):
    dataset.save(ImageTable.from_rows([], LEDGER))
    again = dataset.load()
    assert (len(again), again.ledger) == (0, LEDGER)


def test_a_failed_save_leaves_the_old_table_whole(dataset, images, tmp_path):
    dataset.save(images)
    unwritable = ImageTable(images.table.slice(0, 1), {"seconds": object()})  # fails after the shard is written
    with pytest.raises(DatasetError, match="not JSON serializable"):
        dataset.save(unwritable)
    assert dataset.load().table.equals(images.table)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_a_folder_without_a_manifest_is_no_table(dataset, images, tmp_path):
    with pytest.raises(DatasetError, match="is no whole image table"):
        dataset.load()
    dataset.save(images)
    (tmp_path / "images" / "manifest.json").unlink()
    assert not dataset.exists()
    with pytest.raises(DatasetError, match=r"is no whole image table: .*manifest\.json"):
        dataset.load()


@pytest.mark.parametrize("damage", ["missing", "short", "cut", "manifest"])
def test_damage_is_found_and_the_file_is_named(dataset, images, tmp_path, damage):
    dataset.save(images)
    shard = tmp_path / "images" / "shard-00000.parquet"
    if damage == "missing":
        shard.unlink()
    elif damage == "short":
        pq.write_table(images.table.slice(0, 3), shard)
    elif damage == "cut":
        shard.write_bytes(shard.read_bytes()[:-100])
    else:
        (tmp_path / "images" / "manifest.json").write_text('{"rows": 5, "sha')
    with pytest.raises(DatasetError, match="images"):
        dataset.load()


def test_kedro_viz_is_shown_a_contact_sheet(dataset, images):
    dataset.save(images)
    sheet = Image.open(io.BytesIO(base64.b64decode(dataset.preview())))
    assert sheet.size == (2 * 50 + 2, 2 * 50 + 2)  # two classes of two images: cells of 48 pixels and gaps of 2
