import logging

import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.readers.captioned_images import CaptionedImages
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.parts import build_part
from tests.images.made_collections import encoded, tree, write, write_parquet, write_tar


def table_of(reader: CaptionedImages) -> ImageTable:
    stream = reader.read()
    return ImageTable.from_rows(stream, stream.ledger)


@pytest.fixture
def tars(tmp_path):
    """Seven samples: four good ones, of which one has no caption; one broken, one unsafe, one watermarked."""
    about = {"url": "https://x", "punsafe": 0.1, "pwatermark": 0.1}
    write_tar(
        tmp_path / "00000.tar",
        [
            *[("0.jpg", encoded(0, "JPEG")), ("0.txt", "a  dog\n on \x07grass"), ("0.json", about), ("0.cls", "1")],
            *[("1.png", encoded(1)), ("1.cls", "n02123045")],
            *[("2.png", b"<html>"), ("2.txt", "broken")],
            *[("3.png", encoded(3)), ("3.txt", "unsafe"), ("3.json", {"punsafe": 0.5})],
            *[("4.png", encoded(4)), ("4.txt", "marked"), ("4.json", {"pwatermark": 0.9})],
            *[("5.png", encoded(5, width=60, height=40)), ("5.txt", "x" * 10_001), ("5.cls", "someone else")],
            *[("6.png", encoded(6)), ("6.txt", "cat"), ("6.cls", "7")],
        ],
    )
    return tmp_path


def test_a_pool_is_read_and_every_image_is_accounted_for(tars):
    pool = table_of(
        CaptionedImages(tars, classes=("dog", "tabby cat"), unsafe_below=0.5, watermark_below=0.6, short_side=20)
    )
    assert pool.column("image_id") == ["00000/0", "00000/1", "00000/5", "00000/6"]
    assert pool.column("caption") == ["a dog on grass", "", "x" * 10_000, "cat"]
    assert pool.column("true_label") == [1, 1, None, None]  # by number, by name; no class is called so
    assert pool.column("label") == [None] * 4
    assert pool.column("source") == ["https://x", *[str(tars / "00000.tar")] * 3]
    assert pool.row(0)["image"]["bytes"] == encoded(0, "JPEG")
    assert codec.decode(pool.row(2)["image"]["bytes"]).shape == (20, 30, 3)
    assert {name: value for name, value in pool.ledger.items() if name not in {"reasons", "left_out"}} == {
        **{"kind": "images", "read": 7, "used": 4, "broken": 1, "unsafe": 1, "watermarked": 1, "without_caption": 1},
    }  # 7 = 4 + 1 + 1 + 1
    assert list(pool.ledger["reasons"].values()) == [1]


def test_by_default_nothing_is_left_out_for_what_it_shows(tars):
    pool = table_of(CaptionedImages(tars))
    assert (len(pool), pool.ledger["unsafe"], pool.ledger["watermarked"]) == (6, 0, 0)
    assert pool.column("true_label") == [None] * 6  # no classes are told


def test_a_probability_of_the_limit_is_left_out(tars):
    assert table_of(CaptionedImages(tars, unsafe_below=0.51)).ledger["unsafe"] == 0
    assert table_of(CaptionedImages(tars, unsafe_below=0.5)).ledger["unsafe"] == 1


def test_at_most_so_many_are_used_and_no_more_are_looked_at(tars):
    pool = table_of(CaptionedImages(tars, at_most=3))
    assert pool.column("image_id") == ["00000/0", "00000/1", "00000/3"]
    assert (pool.ledger["read"], pool.ledger["used"], pool.ledger["broken"]) == (4, 3, 1)


def test_formats_with_lists_tables_and_images_alone(tmp_path):
    write(tmp_path / "list", {"captions.csv": "file,caption\na.png,hello\nnone.png,x\n", "a.png": encoded(0)})
    pool = table_of(CaptionedImages(tmp_path / "list"))
    assert (pool.column("caption"), pool.ledger["reasons"]) == (["hello"], {"no such file": 1})
    write_parquet(tmp_path / "table/a.parquet", {"image": [encoded(0)], "says": ["hi"], "what": ["the_dog"]})
    reader = CaptionedImages(tmp_path / "table", caption_column="says", label_column="what", classes=("cat", "the dog"))
    assert (table_of(reader).column("caption"), table_of(reader).column("true_label")) == (["hi"], [1])
    pool = table_of(CaptionedImages(tree(tmp_path / "images", 2)))
    assert (pool.column("caption"), pool.ledger["without_caption"]) == ([""] * 4, 4)
    assert CaptionedImages(tmp_path / "images").reads == (tmp_path / "images",)
    assert CaptionedImages(tmp_path / "none").reads == (tmp_path / "none",)


def test_what_a_format_leaves_out_is_in_the_ledger_and_told(tmp_path, caplog):
    write_tar(tmp_path / "0.tar", [("a.jpg", encoded(0)), ("a.jpg", encoded(1)), ("../b.jpg", encoded(2))])
    write(tmp_path, {"1.tar": b""})
    with caplog.at_level(logging.WARNING):
        pool = table_of(CaptionedImages(tmp_path))
    assert pool.ledger["left_out"] == {"a name twice in a shard": 1, "a name that climbs out": 1, "broken shard": 1}
    assert "pool.reader: left out: 1 a name" in caplog.text


def test_a_pool_of_which_nothing_can_be_used_is_refused(tmp_path):
    write(tmp_path, {"a.png": b"", "b.png": encoded(0, width=4)})
    message = r"pool.reader: no image of .* can be used: 2 read, 2 broken, 0 unsafe, 0 watermarked; images of 8 pixels"
    with pytest.raises(UserError, match=message):
        table_of(CaptionedImages(tmp_path))


@pytest.mark.parametrize("columns", [{"says": ["hi"]}, {"text": ["hi"], "caption": ["ho"]}])
def test_captions_that_cannot_be_told_are_an_error(tmp_path, columns):
    write_parquet(tmp_path / "a.parquet", {"image": [encoded(0)], **columns})
    with pytest.raises(UserError, match=r"caption; name it as caption_column; its columns are: image"):
        table_of(CaptionedImages(tmp_path))


def test_a_collection_of_links_is_read_as_one(tmp_path):
    write_parquet(tmp_path / "a.parquet", {"url": ["https://x", "https://y"], "caption": ["a", "b"]})
    with pytest.raises(UserError, match=r"no embeddings \(\.npy\) of the images behind the links"):
        CaptionedImages(path=tmp_path).read()
    (tmp_path / "img_emb").mkdir()
    np.save(tmp_path / "img_emb/img_emb_0.npy", np.eye(2, 4, dtype=np.float32))
    reader = CaptionedImages(path=tmp_path, clip="ViT-B-32/openai", unsafe_below=0.1)
    stream = reader.read()
    assert [row["source"] for row in stream] == ["https://x", "https://y"]
    assert (stream.ledger["kind"], stream.ledger["clip"], stream.ledger["dimension"]) == ("links", "ViT-B-32/openai", 4)
    assert tmp_path / "img_emb" in reader.reads


def test_it_is_a_part():
    fields = {"type": "captioned_images", "path": "x", "classes": ["a", "b"], "format": {"type": "web_dataset"}}
    built = build_part("retrieval_vs_diffusion.images.readers", fields, "pool.reader")
    assert built.classes == ("a", "b")
    with pytest.raises(UserError, match=r"pool.reader.at_most.*: found 0; .* greater than or equal to 1"):
        build_part("retrieval_vs_diffusion.images.readers", {**fields, "at_most": 0}, "pool.reader")


def test_what_calls_images_unsafe_in_other_words_leaves_them_out_too(tmp_path):
    said = [{"NSFW": "NSFW"}, {"punsafe": "0.99"}, {"PUNSAFE": 0.99}, {"pwatermark": "0.9"}, {"NSFW": "UNLIKELY"}, {}]
    members = [
        each for n, about in enumerate(said) for each in ((f"{n}.png", encoded(n)), (f"{n}.json", {**about, "a": 1}))
    ]
    write_tar(tmp_path / "tar/0.tar", [*members, ("6.png", encoded(6)), ("6.json", {"punsafe": "very"})])
    pool = table_of(CaptionedImages(tmp_path / "tar", unsafe_below=0.5, watermark_below=0.8))
    assert pool.column("image_id") == ["0/4", "0/5", "0/6"]
    assert (pool.ledger["unsafe"], pool.ledger["watermarked"]) == (3, 1)
    assert pool.ledger["left_out"] == {"unreadable punsafe": 1}
    images = [encoded(n) for n in range(3)]
    columns = {"image": images, "caption": list("abc"), "NSFW": ["UNLIKELY", "nsfw", None], "Punsafe": ["0.1", "", "1"]}
    write_parquet(tmp_path / "table/a.parquet", columns)
    assert table_of(CaptionedImages(tmp_path / "table", unsafe_below=0.5)).column("caption") == ["a"]


@pytest.mark.parametrize("limits", [{"unsafe_below": 0.5}, {"watermark_below": 1.0}])
def test_where_what_is_unsafe_is_told_too_late_nothing_is_used(tmp_path, monkeypatch, limits):
    from retrieval_vs_diffusion.images.collections.sidecars import APART

    class Late:
        reads = ()

        def entries(self):
            yield from ()

        def samples(self, only=None, faults=None):
            yield Sample("a", encoded(0))
            faults[APART[".json"]] += 1
            yield Sample("b", encoded(1))

    monkeypatch.setattr(CaptionedImages, "_collection", lambda _: Late())
    message = r"files \.json in tars of .* are not beside their images, .*pack the tars in the order of names"
    with pytest.raises(UserError, match=message):
        table_of(CaptionedImages(write(tmp_path, {"a.png": b""}), **limits))
    assert len(table_of(CaptionedImages(tmp_path))) == 2


def test_a_label_that_is_not_told_is_no_class(tmp_path):
    write_parquet(
        tmp_path / "a.parquet", {"image": [encoded(n) for n in range(3)], "label": [-1, 1, 0], "text": ["x"] * 3}
    )
    assert table_of(CaptionedImages(tmp_path, classes=("0", "1"))).column("true_label") == [None, 1, 0]
    write_tar(tmp_path / "tar/0.tar", [("a.png", encoded(0)), ("a.cls", "-1"), ("b.png", encoded(1)), ("b.cls", "1")])
    assert table_of(CaptionedImages(tmp_path / "tar", classes=("0", "1"))).column("true_label") == [None, 1]


def test_a_class_is_known_in_another_spelling(tmp_path):
    write(tmp_path, {"c.csv": "file,text,label\na.png,a,CAFE\u0301\nb.png,b,tea_House\n"})
    write(tmp_path, {"a.png": encoded(0), "b.png": encoded(1)})
    pool = table_of(CaptionedImages(tmp_path, classes=("tea house", "caf\u00e9")))
    assert pool.column("true_label") == [1, 0]
