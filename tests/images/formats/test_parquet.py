import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections import record_batches
from retrieval_vs_diffusion.images.formats.parquet import Parquet
from tests.images.made_collections import encoded, hugging_face_metadata, write, write_parquet

IMAGES = [encoded(seed) for seed in range(5)]


def test_the_hubs_shards_are_parts_and_integers_have_names(tmp_path):
    train = {"image": IMAGES[:3], "label": [0, 1, -1]}
    write_parquet(tmp_path / "data/train-00000-of-00001.parquet", train, ["cat", "dog"])
    write_parquet(tmp_path / "data/test-00000-of-00001.parquet", {"image": IMAGES[3:], "label": [1, 0]}, ["cat", "dog"])
    samples = list(Parquet(tmp_path, needs="label").samples())
    assert [(s.key, s.label, s.part) for s in samples] == [
        ("data/test-00000-of-00001.parquet/0", "dog", "test"),
        ("data/test-00000-of-00001.parquet/1", "cat", "test"),
        ("data/train-00000-of-00001.parquet/0", "cat", "train"),
        ("data/train-00000-of-00001.parquet/1", "dog", "train"),
        ("data/train-00000-of-00001.parquet/2", None, "train"),  # -1: not told
    ]
    assert [s.image for s in samples] == [*IMAGES[3:], *IMAGES[:3]]
    entries = list(Parquet(tmp_path).entries())
    assert [(e.key, e.label, e.part, e.image) for e in entries] == [(s.key, s.label, s.part, None) for s in samples]
    assert Parquet(tmp_path).reads == (tmp_path,)


def test_only_wanted_rows_and_row_groups_are_read(tmp_path, monkeypatch):
    path = write_parquet(tmp_path / "a.parquet", {"image": IMAGES, "caption": list("abcde")}, rows=2)
    read = []
    original = pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile,
        "iter_batches",
        lambda self, *a, row_groups, **k: read.append(row_groups) or original(self, *a, row_groups=row_groups, **k),
    )
    samples = list(Parquet(path).samples({"a.parquet/0", "a.parquet/3"}))
    assert [(s.key, s.caption, s.image) for s in samples] == [
        ("a.parquet/0", "a", IMAGES[0]),
        ("a.parquet/3", "d", IMAGES[3]),
    ]
    assert read == [[0], [1]]  # rows 0 to 3; the last group holds row 4 alone


def test_plain_bytes_text_labels_and_a_split_column(tmp_path):
    columns = {
        "jpg": pa.array(IMAGES[:2]),
        "class": ["cat", " dog "],
        "split": ["train", "validation"],
        "url": ["u", None],
    }
    pq.write_table(
        pa.table({**columns, "punsafe": [0.5, float("nan")], "pwatermark": [0.25, None]}), tmp_path / "a.parquet"
    )
    samples = list(Parquet(tmp_path / "a.parquet").samples())
    assert [(s.label, s.part, s.source, s.image) for s in samples] == [
        ("cat", "train", "u", IMAGES[0]),
        ("dog", "val", None, IMAGES[1]),
    ]
    assert [(s.unsafe, s.watermark) for s in samples] == [(0.5, 0.25), (None, None)]


def test_the_split_of_a_pool_is_nobodys_matter(tmp_path):
    write_parquet(tmp_path / "a.parquet", {"image": IMAGES[:1], "caption": ["x"], "split": ["restval"]})
    assert [s.part for s in Parquet(tmp_path, needs="caption").samples()] == [None]
    with pytest.raises(
        UserError, match=r'a.parquet: split is "restval" in the row a.parquet/0; one of train, val, test'
    ):
        list(Parquet(tmp_path).samples())


def test_numbers_without_names_are_labels_too_and_of_captions_the_first_counts(tmp_path):
    write_parquet(
        tmp_path / "a.parquet", {"image": IMAGES[:3], "label": [3.0, None, 7.5], "text": [["x", "y"], [], None]}
    )
    samples = list(Parquet(tmp_path).samples())
    assert [(s.label, s.caption) for s in samples] == [("3", "x"), (None, None), (None, None)]


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_arrow_files_are_read_as_well(tmp_path, kind):
    table = pa.table({"image": pa.array(IMAGES), "caption": list("abcde")})
    opened = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
    with opened(str(tmp_path / "a.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    assert [(s.key, s.caption, s.image) for s in Parquet(tmp_path).samples()] == [
        (f"a.arrow/{row}", "abcde"[row], IMAGES[row]) for row in range(5)
    ]
    assert [s.image for s in Parquet(tmp_path).samples({"a.arrow/4"})] == [IMAGES[4]]


def test_long_groups_come_in_small_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(record_batches, "ROWS_AT_ONCE", 3)
    path = write_parquet(tmp_path / "a.parquet", {"image": IMAGES, "caption": list("abcde")}, rows=100)
    assert [s.caption for s in Parquet(path).samples()] == list("abcde")


def test_columns_can_be_named(tmp_path):
    columns = {"left": IMAGES[:1], "right": IMAGES[1:2], "coarse": ["animal"], "fine": ["cat"], "says": ["hello"]}
    write_parquet(tmp_path / "a.parquet", columns)
    named = {"image_column": "right", "label_column": "fine", "caption_column": "says"}
    (sample,) = Parquet(tmp_path, **named).samples()
    assert (sample.image, sample.label, sample.caption) == (IMAGES[1], "cat", "hello")


def refused(path, match: str, **settings) -> None:
    with pytest.raises(UserError, match=match) as caught:
        list(Parquet(path, **settings).samples())
    assert "\n" not in str(caught.value)


def test_columns_that_cannot_be_told_are_listed(tmp_path):
    write_parquet(tmp_path / "a.parquet", {"left": IMAGES[:1], "right": IMAGES[:1], "x": ["a"]})
    refused(
        tmp_path, r"a.parquet: several columns may be the image; name it as image_column; its columns are: left, righ"
    )
    write_parquet(tmp_path / "a.parquet", {"image": IMAGES[:1], "species": ["a"]})
    refused(tmp_path, r"found no column for the label; name it as label_column; .* image, species", needs="label")
    refused(tmp_path, r"found no column for the caption; name it as caption_column; .* image, species", needs="caption")
    refused(tmp_path, r'there is no column "nope" \(label_column\)', label_column="nope")
    write_parquet(tmp_path / "a.parquet", {"url": ["http://x"], "caption": ["a"]})
    refused(tmp_path, r"found no column for the image; name it as image_column; its columns are: url, caption")


def test_two_columns_of_classes_are_not_chosen_between(tmp_path):
    table = pa.table({"img": pa.array(IMAGES[:1]), "coarse_label": [0], "fine_label": [0]})
    names = {"_type": "ClassLabel", "names": ["a"]}
    pq.write_table(
        table.replace_schema_metadata(hugging_face_metadata(coarse_label=names, fine_label=names)),
        tmp_path / "a.parquet",
    )
    refused(tmp_path, r"several columns may be the label; name it as label_column", needs="label")
    (sample,) = Parquet(tmp_path, label_column="fine_label", needs="label").samples()
    assert sample.label == "a"


def test_shards_that_differ_are_named_with_the_column(tmp_path):
    write_parquet(tmp_path / "0.parquet", {"image": IMAGES[:1], "label": [0]}, ["cat", "dog"])
    write_parquet(tmp_path / "1.parquet", {"image": IMAGES[:1]})
    refused(tmp_path, r'1.parquet: lacks the column "label", which 0.parquet has; shards must agree')
    write_parquet(tmp_path / "1.parquet", {"image": IMAGES[:1], "label": ["dog"]})
    refused(tmp_path, r'1.parquet: the column "label" is string, in 0.parquet it is int64; shards must agree')
    write_parquet(tmp_path / "1.parquet", {"image": IMAGES[:1], "label": [0]}, ["dog", "cat"])
    refused(tmp_path, r'1.parquet: the column "label" has other class names than in 0.parquet; shards must agree')


def test_what_is_no_table_is_refused(tmp_path):
    refused(tmp_path, r"found no file that ends in .parquet, .arrow")
    whole = write_parquet(tmp_path / "a.parquet", {"image": IMAGES, "caption": list("abcde")}).read_bytes()
    write(tmp_path, {"a.parquet": whole[:-50]})
    refused(tmp_path, r"a.parquet: is no whole Parquet or Arrow file \(.*\); bring it again")
    write(tmp_path, {"a.parquet": whole[:20] + bytes(200) + whole[220:]})
    refused(tmp_path, r"a.parquet: is no whole Parquet or Arrow file")


def test_a_column_that_is_called_label_goes_before_one_of_named_numbers(tmp_path):
    features = {"image": {"_type": "Image"}, "weather": {"_type": "ClassLabel", "names": ["sun", "rain"]}}
    path = write_parquet(tmp_path / "a.parquet", {"image": IMAGES[:2], "label": ["cat", "dog"], "weather": [0, 1]})
    table = pq.read_table(path).replace_schema_metadata(hugging_face_metadata(**features))
    pq.write_table(table, path)
    assert [s.label for s in Parquet(path, needs="label").samples()] == ["cat", "dog"]
    pq.write_table(table.drop_columns(["label"]), path)
    assert [s.label for s in Parquet(path, needs="label").samples()] == ["sun", "rain"]


def test_a_negative_number_is_no_label(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", {"image": IMAGES[:3], "label": [-1, 1, 0]})
    assert [s.label for s in Parquet(path).samples()] == [None, "1", "0"]


def test_probabilities_as_text_are_read_and_other_text_is_refused(tmp_path):
    columns = {"image": IMAGES[:3], "caption": list("abc")}
    path = write_parquet(
        tmp_path / "a.parquet", {**columns, "pUnsafe": ["0.5", None, "0"], "NSFW": [None, "NSFW", "x"]}
    )
    assert [s.unsafe for s in Parquet(path).samples()] == [0.5, 1.0, 0.0]
    write_parquet(path, {**columns, "punsafe": ["0.5", "0.1", "often"]})
    with pytest.raises(UserError, match=r'punsafe is "often" in the row a.parquet/2; a number from 0 to 1, or nothing'):
        list(Parquet(path).samples())
    write_parquet(path, {**columns, "NSFW": [[0.5], [0.1], [0.2]]})
    with pytest.raises(UserError, match=r"column NSFW holds list<.*; it must hold numbers"):
        list(Parquet(path).samples())
