import logging

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.readers.labelled_images import LabelledImages
from retrieval_vs_diffusion.parts import build_part
from tests.images.made_collections import encoded, tree, write, write_parquet, write_tar


def tables(reader: LabelledImages) -> dict[str, ImageTable]:
    """The parts, written in the order in which they are to be."""
    target = reader.read()
    parts = {"test": target.test, "val": target.val, "reservoir": target.reservoir}
    return {name: ImageTable.from_rows(stream, stream.ledger) for name, stream in parts.items()}


def counts(table: ImageTable) -> dict[str, int]:
    return {name: table.ledger[name] for name in ("read", "used", "broken", "duplicate")}


def test_class_folders_become_a_target(tmp_path):
    reader = LabelledImages(tree(tmp_path, 10, ("b_cat", "a-dog")), val=2, test=0.3)
    assert reader.read().class_names == ("a dog", "b cat")  # in the order of labels
    parts = tables(reader)
    assert {name: len(table) for name, table in parts.items()} == {"test": 6, "val": 4, "reservoir": 10}
    ids = [each for table in parts.values() for each in table.column("image_id")]
    assert len(set(ids)) == 20
    for table in parts.values():
        for row in table.table.to_pylist():
            expected = {"a-dog": 0, "b_cat": 1}[row["image_id"].split("/")[0]]
            assert (row["label"], row["true_label"], row["caption"]) == (expected, expected, None)
            assert row["source"] == str(tmp_path / row["image_id"])
        assert counts(table) == {"read": len(table), "used": len(table), "broken": 0, "duplicate": 0}
        assert (table.ledger["kind"], table.ledger["reasons"]) == ("images", {})
    row = parts["test"].row(0)
    assert row["image"]["bytes"] == (tmp_path / row["image_id"]).read_bytes()


def test_the_seed_decides_the_parts(tmp_path):
    tree(tmp_path, 10)
    ids = [tables(LabelledImages(tmp_path, seed=seed))["test"].column("image_id") for seed in (0, 0, 1)]
    assert ids[0] == ids[1] != ids[2]


def test_given_parts_serve_as_told_and_the_reservoir_is_limited(tmp_path):
    tree(tmp_path, train=8, val=3)
    parts = tables(LabelledImages(tmp_path, val=2, given_parts={"test": "val"}, reservoir_at_most=4))
    assert {name: len(table) for name, table in parts.items()} == {"test": 6, "val": 4, "reservoir": 8}
    assert all(each.startswith("val/") for each in parts["test"].column("image_id"))


def test_large_images_are_shrunk(tmp_path):
    tree(tmp_path, 3)
    write(tmp_path, {"cat/big.png": encoded(99, width=60, height=40)})
    reader = LabelledImages(tmp_path, val=1, test=1, short_side=20)
    rows = [row for table in tables(reader).values() for row in table.table.to_pylist()]
    big = next(row for row in rows if row["image_id"] == "cat/big.png")
    assert codec.decode(big["image"]["bytes"]).shape == (20, 30, 3)


def test_no_picture_stands_in_two_parts(tmp_path, caplog):
    tree(tmp_path, classes=("cat", "dog"), train=4, val=2, test=2)
    copied = (tmp_path / "test/cat/0.png").read_bytes()
    write(tmp_path, {"train/cat/copy.png": copied, "train/cat/copy2.png": copied, "val/cat/copy.png": copied})
    write(tmp_path, {"train/cat/9.png": (tmp_path / "train/cat/3.png").read_bytes()})
    Image.open(tmp_path / "test/cat/0.png").save(tmp_path / "train/dog/same_pixels.bmp")
    with caplog.at_level(logging.WARNING):
        parts = tables(LabelledImages(tmp_path))
    assert counts(parts["test"]) == {"read": 4, "used": 4, "broken": 0, "duplicate": 0}
    assert counts(parts["val"]) == {"read": 5, "used": 4, "broken": 0, "duplicate": 1}
    assert counts(parts["reservoir"]) == {"read": 12, "used": 8, "broken": 0, "duplicate": 4}
    hashes = [each for table in parts.values() for each in table.column("content_hash")]
    assert len(set(hashes)) == len(hashes) == 16
    assert "part val: left out as exact copies of images: 1 of test" in caplog.text
    assert "part train: left out as exact copies of images: 3 of test, 1 of train" in caplog.text
    assert (  # of other bytes, so that it is found when the test image is written
        "part train: 1 of these copies have another label than the image that stays; look which is right: "
        "'train/dog/same_pixels.bmp' ('dog') is 'test/cat/0.png' ('cat') of test"
    ) in caplog.text


def test_broken_images_are_counted_and_told(tmp_path, caplog):
    tree(tmp_path, train=3, val=2, test=2)
    write(tmp_path, {"val/cat/x.png": b"", "val/cat/y.png": encoded(77, width=4), "val/dog/z.png": b"<html>"})
    with caplog.at_level(logging.WARNING):
        val = tables(LabelledImages(tmp_path))["val"]
    assert counts(val) == {"read": 7, "used": 4, "broken": 3, "duplicate": 0}
    kinds = "not a whole image of the formats PNG, JPEG, WEBP, BMP, GIF, TIFF"
    assert val.ledger["reasons"] == {kinds: 2, "too small": 1}
    assert "part val: 3 of 7 images are broken and not used" in caplog.text
    assert "e.g. 'val/cat/x.png (not a whole image" in caplog.text


def test_a_class_without_a_whole_image_is_refused_when_its_part_was_read(tmp_path):
    tree(tmp_path, train=3, val=1, test=2)
    write(tmp_path, {"val/dog/0.png": b"broken"})
    message = r'class "dog" has no image left in the part val, of whose 2 images 1 are broken and 0 copies of others'
    with pytest.raises(UserError, match=message):
        tables(LabelledImages(tmp_path))


def test_tars_with_classes_and_a_hub_table_are_targets_too(tmp_path):
    members = [
        (f"{label}{n}.{end}", data)
        for n in range(6)
        for label in "ab"
        for end, data in (("png", encoded(n + 50 * (label == "a"))), ("cls", label))
    ]
    write_tar(tmp_path / "tars/0.tar", members)
    parts = tables(LabelledImages(tmp_path / "tars", val=1, test=2))
    assert {name: len(table) for name, table in parts.items()} == {"test": 4, "val": 2, "reservoir": 6}
    assert [key[2] for key in parts["val"].column("image_id")] == ["ab"[label] for label in parts["val"].labels()]
    columns = {"image": [encoded(n) for n in range(8)], "label": [0, 1] * 4}
    write_parquet(tmp_path / "hub/train-0.parquet", columns, ["n01440764", "n02123045"])
    target = LabelledImages(tmp_path / "hub", val=1, test=1).read()
    assert target.class_names == ("tench", "tabby cat")


def test_images_without_a_label_are_left_out_and_told(tmp_path, caplog):
    columns = {"image": [encoded(n) for n in range(9)], "label": ["a", "b"] * 4 + [""]}
    write_parquet(tmp_path / "0.parquet", columns)
    with caplog.at_level(logging.WARNING):
        parts = tables(LabelledImages(tmp_path, val=1, test=1))
    assert sum(len(table) for table in parts.values()) == 8
    assert "left out: 1 images without a label" in caplog.text
    write_parquet(tmp_path / "0.parquet", {**columns, "label": [""] * 9})
    with pytest.raises(UserError, match=r"none of 9 images in .* has a label; name what holds it, e.g. label_column"):
        LabelledImages(tmp_path).read()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"val": 0}, r"target.reader.val: found 0; a number of images a class"),
        ({"short_side": 4}, r"target.reader.short_side.*: found 4; .* greater than or equal to 8"),
        (
            {"lable_column": "x"},
            r'target.reader.lable_column: there is no such key here; did you mean "label_column"\?',
        ),
    ],
)
def test_settings_are_checked_when_it_is_built(settings, message):
    with pytest.raises(UserError, match=message):
        build_part(
            "retrieval_vs_diffusion.images.readers",
            {"type": "labelled_images", "path": "x", **settings},
            "target.reader",
        )


def test_what_it_reads_counts_in_the_fingerprint(tmp_path):
    from retrieval_vs_diffusion.execution.digest import digest

    reader = LabelledImages(tree(tmp_path / "set"))
    assert reader.reads == (tmp_path / "set",)
    before = digest(reader)
    write(tmp_path / "set", {"cat/new.png": encoded(99)})
    assert digest(reader) != before
    assert LabelledImages(tmp_path / "none").reads == (tmp_path / "none",)


def test_the_code_of_all_formats_counts_in_the_fingerprint():
    from retrieval_vs_diffusion.execution import digest

    seen = set()
    waiting = ["retrieval_vs_diffusion.images.readers.labelled_images"]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += digest._read_module(name)[1]
    assert "retrieval_vs_diffusion.images.formats.class_folders" in seen
    assert "retrieval_vs_diffusion.images.photo" in seen


def test_rows_are_made_when_they_are_asked_for(tmp_path):
    tree(tmp_path, train=3, val=2, test=2)
    target = LabelledImages(tmp_path).read()
    rows = iter(target.test)
    assert target.test.ledger["read"] == 0
    next(rows)
    assert target.test.ledger["read"] == 1


def test_float_columns_of_arrow_are_labels_too(tmp_path):
    import pyarrow.parquet as pq

    table = pa.table({"image": pa.array([encoded(n) for n in range(6)]), "label": np.array([1.0, 2.0] * 3)})
    pq.write_table(table, tmp_path / "a.parquet")
    assert LabelledImages(tmp_path, val=1, test=1).read().class_names == ("1", "2")
