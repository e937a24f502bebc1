"""Parquet, Arrow and CSV of wrong types, with keys twice, damaged, or made to take memory; labels out of range."""

from __future__ import annotations

import json
import os
import pickle
import re
import struct
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections import record_batches
from retrieval_vs_diffusion.images.formats.hugging_face import HuggingFace
from retrieval_vs_diffusion.images.formats.img2dataset_parquet import Img2datasetParquet
from retrieval_vs_diffusion.images.formats.parquet import Parquet
from retrieval_vs_diffusion.images.readers.captioned_images import CaptionedImages
from retrieval_vs_diffusion.images.sample import Sample
from tests.hostile_pool.bad_pictures import Canary
from tests.hostile_pool.containers import Entry, hugging_face
from tests.images.made_collections import encoded, hugging_face_metadata, write

IMAGES = [encoded(number) for number in range(4)]
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def samples(collection) -> tuple[list[Sample], dict[str, int]]:
    faults = Counter[str]()
    return list(collection.samples(None, faults)), dict(faults)


def parquet(path: Path, **columns) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


NO_CAPTION = {
    "integers": [1, 2, 3, 4],
    "floats": [0.5, float("nan"), float("inf"), None],
    "nothing": [None] * 4,
    "bytes": [b"a", b"\xff", b"", None],
    "structs": [{"a": "b"}] * 4,
    "lists of integers": [[1], [], None, [2]],
    "maps": pa.array([[("a", "b")]] * 4, pa.map_(pa.string(), pa.string())),
    "dates beyond Python's": pa.array([2**62] * 4, pa.timestamp("us")),
    "decimals": pa.array([1, 2, 3, 4]).cast(pa.decimal128(30, 2)),
    "lists in lists": [[[["a"]]]] * 4,
}


@pytest.mark.parametrize("kind", NO_CAPTION)
def test_captions_of_another_type_are_none_and_the_pictures_are_used(kind, tmp_path):
    parquet(tmp_path / "0.parquet", image=IMAGES, caption=NO_CAPTION[kind])
    found, faults = samples(Parquet(tmp_path))
    assert [(each.image, each.caption) for each in found] == [(image, None) for image in IMAGES]
    assert faults == {}


LABELS = {
    "integers": ([-1, 2, 99, None, 0, 1, 2**40], [None, None, None, None, "cat", "dog", None]),
    "floats": ([-1.0, 0.5, float("nan"), float("inf"), 0.0, 1.0, None], [None, None, None, None, "cat", "dog", None]),
    "bytes": ([b"cat"] * 7, [None] * 7),
    "lists": ([[0]] * 7, [None] * 7),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_out_of_range_are_no_labels(kind, tmp_path):
    values, read = LABELS[kind]
    names = hugging_face_metadata(image={"_type": "Image"}, label={"_type": "ClassLabel", "names": ["cat", "dog"]})
    table = pa.table({"image": [encoded(number) for number in range(7)], "label": values})
    pq.write_table(table.replace_schema_metadata(names), tmp_path / "0.parquet")
    assert [each.label for each in Parquet(tmp_path).entries()] == read


@pytest.mark.parametrize("images", [[1, 2, 3, 4], ["a", "b", "c", "d"], [[b"a"]] * 4], ids=["numbers", "text", "lists"])
def test_images_of_another_type_are_no_images(images, tmp_path):
    parquet(tmp_path / "0.parquet", image=images, caption=list("abcd"))
    with pytest.raises(UserError, match=r"found no column for the image"):
        samples(Parquet(tmp_path))


@pytest.mark.parametrize("text", ["0.99", b"0.99", "NSFW"])
def test_a_probability_may_be_text(tmp_path, text):
    parquet(tmp_path / "0.parquet", image=IMAGES, caption=list("abcd"), punsafe=[text] * 4)
    found, _ = samples(Parquet(tmp_path))
    assert {each.unsafe for each in found} == {1.0 if text == "NSFW" else 0.99}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["very"] * 4, 'punsafe is "very" in the row 0.parquet/0; a number from 0 to 1, or nothing, will do'),
        ([[0.99]] * 4, "column punsafe holds list<element: double>; it must hold numbers"),
    ],
    ids=["text", "lists"],
)
def test_a_probability_that_is_no_number_does_not_let_all_through(tmp_path, values, says):
    parquet(tmp_path / "0.parquet", image=IMAGES, caption=list("abcd"), punsafe=values)
    with pytest.raises(UserError, match=re.escape(says)):
        samples(Parquet(tmp_path))


def test_keys_that_are_there_twice_or_not_at_all_are_counted(tmp_path):
    keys = {"key": ["a", "b", "a", None], "status": ["success"] * 4}
    parquet(tmp_path / "x/0.parquet", **keys, jpg=IMAGES, caption=list("abcd"))
    parquet(tmp_path / "y/0.parquet", **keys, jpg=IMAGES[::-1], caption=list("efgh"))
    found, faults = samples(Img2datasetParquet(tmp_path))
    assert [(each.key, each.image, each.caption) for each in found] == [
        ("x/0/a", IMAGES[0], "a"),
        ("x/0/b", IMAGES[1], "b"),
        ("y/0/a", IMAGES[3], "e"),
        ("y/0/b", IMAGES[2], "f"),
    ]
    assert faults == {"a name twice in a shard": 2, "without a key": 2}


def test_two_pictures_of_one_name_are_one_sample(tmp_path):
    write(tmp_path / "00000", {"a.jpg": IMAGES[0], "a.png": IMAGES[1], "a.txt": "a", "b.jpg": IMAGES[2]})
    stream = CaptionedImages(path=tmp_path, format="img2dataset_files").read()
    assert [(row["image_id"], row["caption"]) for row in stream] == [("00000/a", "a"), ("00000/b", "")]
    assert stream.ledger["left_out"] == {"a name twice in a shard": 1}


def test_a_column_that_is_there_twice_is_told(tmp_path):
    table = pa.table(
        [pa.array(IMAGES), pa.array(list("abcd")), pa.array(list("efgh"))], ["image", "caption", "caption"]
    )
    pq.write_table(table, tmp_path / "0.parquet")
    with pytest.raises(UserError, match=r'0.parquet: has the column "caption" more than once'):
        samples(Parquet(tmp_path))


def test_paths_in_a_table_lead_nowhere_else(tmp_path):
    write(tmp_path, {"pool/own.png": IMAGES[0], "secret.png": IMAGES[1]})
    (tmp_path / "pool/link.png").symlink_to(tmp_path / "secret.png")
    named = ["own.png", "../secret.png", str(tmp_path / "secret.png"), "link.png", "\0", "x" * 5000, "", None]
    cells = pa.array([{"bytes": None, "path": path} for path in named], STRUCT)
    parquet(tmp_path / "pool/0.parquet", image=cells, caption=list("abcdefgh"))
    stream = CaptionedImages(path=tmp_path / "pool", format="parquet").read()
    assert [row["image"]["bytes"] for row in stream] == [IMAGES[0]]
    assert stream.ledger["broken"] == 7
    assert sum(stream.ledger["reasons"].values()) == 7


FOOTERS = {
    "empty": b"",
    "no footer": b"PAR1" + bytes(100),
    "a footer of 2 GB": b"PAR1" + bytes(100) + struct.pack("<I", 2**31 - 1) + b"PAR1",
    "nonsense": b"PAR1" + b"\xff" * 100 + struct.pack("<I", 90) + b"PAR1",
    "encrypted": b"PARE" + bytes(100) + struct.pack("<I", 50) + b"PARE",
    "a page": b"<html>not found</html>",
    "a pickle": pickle.dumps(Canary()),
}


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
@pytest.mark.parametrize("footer", FOOTERS)
def test_a_shard_that_is_no_table_is_counted_and_the_others_are_read(footer, ending, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {f"pool/0.{ending}": FOOTERS[footer]})
    with pytest.raises(UserError, match=r"is no whole Parquet or Arrow file \(.*\); bring it again"):
        list(CaptionedImages(path=tmp_path / "pool").read())
    parquet(tmp_path / "pool/1.parquet", image=IMAGES, caption=list("abcd"))
    stream = CaptionedImages(path=tmp_path / "pool").read()
    assert [row["caption"] for row in stream] == list("abcd")
    assert stream.ledger["left_out"] == {"broken shard": 1}
    assert not Path("EXECUTED").exists()


def damaged_page(folder: Path) -> None:
    """Two row groups; of the second the pictures' page is overwritten."""
    path = parquet(folder / "0.parquet", image=IMAGES, caption=list("abcd"))
    chunk = pq.read_metadata(path).row_group(1).column(0)
    data = bytearray(path.read_bytes())
    data[chunk.data_page_offset : chunk.data_page_offset + 200] = b"\xff" * 200
    path.write_bytes(data)


def test_what_stands_before_the_damage_is_used_where_there_are_other_shards(tmp_path):
    damaged_page(tmp_path)
    with pytest.raises(UserError, match=r"0.parquet: is no whole Parquet"):
        samples(Parquet(tmp_path))
    parquet(tmp_path / "1.parquet", image=[encoded(9)], caption=["e"])
    found, faults = samples(Parquet(tmp_path))
    assert [each.caption for each in found] == ["a", "b", "e"]
    assert faults == {"broken shard": 1}


def test_a_file_that_claims_more_rows_than_it_has_is_told(tmp_path):
    """Of its footer the numbers of rows, 5 as a varint of Thrift's zigzag (10), become 2^31 - 1."""
    path = parquet(tmp_path / "0.parquet", image=[*IMAGES, encoded(8)], caption=list("abcde"))
    pq.write_table(pq.read_table(path), path, compression="none", use_dictionary=False)
    data = path.read_bytes()
    length = struct.unpack("<I", data[-8:-4])[0]
    footer = data[-8 - length : -8].replace(b"\x16\x0a", b"\x16\xfe\xff\xff\xff\x0f")
    assert len(footer) > length
    path.write_bytes(data[: -8 - length] + footer + struct.pack("<I", len(footer)) + b"PAR1")
    assert pq.read_metadata(path).num_rows == 2**31 - 1
    try:
        found, _ = samples(Parquet(tmp_path))
    except UserError as error:
        assert "0.parquet: is no whole Parquet" in str(error)  # noqa: PT017
    else:
        assert [each.caption for each in found] == list("abcde")


@pytest.mark.parametrize(
    "said", [b'{"a":' * 100_000, b"[]", b'{"info":{"features":{"image":[1],"label":"x"}}}', b"\xff"]
)
def test_odd_descriptions_of_columns_are_none(said, tmp_path):
    table = pa.table({"image": IMAGES, "caption": list("abcd")}).replace_schema_metadata({b"huggingface": said})
    pq.write_table(table, tmp_path / "0.parquet")
    assert [each.caption for each in samples(Parquet(tmp_path))[0]] == list("abcd")


def pointing_elsewhere(table: pa.Table, path: Path) -> Path:
    """An Arrow file whose last text ends 2 GB behind the file: the offset of 4 texts of one letter each is 4."""
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    data = path.read_bytes()
    offsets = struct.pack("<5i", 0, 1, 2, 3, 4)
    assert data.count(offsets) == 1
    path.write_bytes(data.replace(offsets, struct.pack("<5i", 0, 1, 2, 3, 2**31 - 1)))
    return path


def test_an_arrow_file_that_points_beyond_its_end_is_broken(tmp_path):
    path = pointing_elsewhere(pa.table({"image": IMAGES, "caption": list("abcd")}), tmp_path / "0.arrow")
    with pytest.raises(UserError, match=r"0.arrow: is no whole Parquet or Arrow file"):
        samples(Parquet(path))


def test_a_saved_data_set_that_points_beyond_its_end_is_broken(tmp_path):
    hugging_face(tmp_path, [Entry("a.png", image, letter) for image, letter in zip(IMAGES, "abcd", strict=True)])
    data = (tmp_path / "train/data-0.arrow").read_bytes()
    offsets = struct.pack("<5i", 0, 1, 2, 3, 4)
    assert data.count(offsets) == 1
    write(tmp_path, {"train/data-0.arrow": data.replace(offsets, struct.pack("<5i", 0, 1, 2, 3, 2**31 - 1))})
    with pytest.raises(UserError, match=r"split train: is damaged \(.*\); save it again"):
        samples(HuggingFace(path=tmp_path))


def test_a_saved_data_set_names_no_files_outside_of_it(tmp_path):
    entries = [Entry("a.png", image, "x") for image in IMAGES]
    hugging_face(tmp_path / "pool", entries)
    hugging_face(tmp_path / "private", entries)
    for place in ("../../private/train/data-0.arrow", str(tmp_path / "private/train/data-0.arrow")):
        state = json.loads((tmp_path / "pool/train/state.json").read_text())
        state["_data_files"] = [{"filename": place}]
        write(tmp_path / "pool", {"train/state.json": json.dumps(state)})
        with pytest.raises(UserError, match=r"it names the file .*data-0.arrow, which lies outside of it"):
            samples(HuggingFace(path=tmp_path / "pool"))


@pytest.mark.parametrize("feature", ["Audio", "Video", "Pdf", "Nifti", "os.system", "Translation"])
def test_a_column_is_not_decoded_whatever_it_says_of_itself(feature, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hugging_face(tmp_path, [Entry("a.png", image, "http://127.0.0.1:1/x") for image in IMAGES])
    info = json.loads((tmp_path / "train/dataset_info.json").read_text())
    info["features"]["caption"] = {"_type": feature}
    write(tmp_path, {"train/dataset_info.json": json.dumps(info)})
    try:
        samples(HuggingFace(path=tmp_path, caption_column="caption"))
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017
    assert not Path("EXECUTED").exists()


def test_of_one_value_for_all_rows_one_is_in_memory_at_once(tmp_path, monkeypatch):
    """Stored once, it would be read 32 times: 2 kB on the disk took 4.9 GB."""
    asked = []
    original = pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile,
        "iter_batches",
        lambda self, rows, **settings: asked.append(rows) or original(self, rows, **settings),
    )
    parquet(tmp_path / "0.parquet", image=IMAGES, caption=list("abcd"))
    assert len(samples(Parquet(tmp_path))[0]) == 4
    list(Parquet(tmp_path).entries())
    assert asked == [1, 1, record_batches.ROWS_AT_ONCE, record_batches.ROWS_AT_ONCE]  # of two row groups each


@pytest.mark.parametrize("name", [b"capti", b"bytes"], ids=["a column", "within a column"])
@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_a_name_of_a_column_that_is_no_utf8_is_a_broken_shard(ending, name, tmp_path):
    """Found by the fuzz: any look at the names raised."""
    cells = pa.array([{"bytes": image, "path": None} for image in IMAGES], STRUCT)
    table = pa.table({"image": cells, "caption": list("abcd")})
    path = tmp_path / f"0.{ending}"
    if ending == "parquet":
        pq.write_table(table, path, store_schema=False)
    else:
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
    path.write_bytes(path.read_bytes().replace(name, b"\xff" + name[1:]))
    with pytest.raises(UserError, match=r"0.\w+: is no whole Parquet or Arrow file"):
        samples(Parquet(path))


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_a_shard_whose_name_is_no_utf8_is_counted_and_the_others_are_read(ending, tmp_path):
    """Found by the fuzz: Arrow cannot open it."""
    parquet(tmp_path / "0.parquet", image=IMAGES, caption=list("abcd"))
    (tmp_path / "0.parquet").rename(tmp_path / os.fsdecode(b"caf\xe9." + ending.encode()))
    with pytest.raises(UserError, match=r"caf\\udce9.\w+: its name or a folder's is no UTF-8.*; rename it"):
        samples(Parquet(tmp_path))
    parquet(tmp_path / "1.parquet", image=IMAGES, caption=list("abcd"))
    found, faults = samples(Parquet(tmp_path))
    assert ([each.caption for each in found], faults) == (list("abcd"), {"broken shard": 1})
