import json
import pickle
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.readers.linked_images import LinkedImages
from retrieval_vs_diffusion.parts import build_part

COUNTS = ("read", "unsafe", "watermarked", "dissimilar", "no_url")


def write_pair(folder, number: int | str, table: dict | pa.Table, dimension: int = 4, dtype=np.float16) -> None:
    """A file of metadata with embeddings of as many rows."""
    table = table if isinstance(table, pa.Table) else pa.table(table)
    (folder / "metadata").mkdir(parents=True, exist_ok=True)
    (folder / "img_emb").mkdir(exist_ok=True)
    pq.write_table(table, folder / f"metadata/metadata_{number}.parquet", row_group_size=1000)
    np.save(folder / f"img_emb/img_emb_{number}.npy", np.zeros((table.num_rows, dimension), dtype))


def urls(*numbers) -> list[str]:
    return [f"http://a.example/{number}.jpg" for number in numbers]


def refusals(folder, **fields) -> list[str | None]:
    return [row["refused"] for row in LinkedImages(path=folder, **fields).read()]


def test_rows_are_those_of_the_metadata_in_its_order_with_nothing_dropped(tmp_path):
    write_pair(tmp_path, 10, {"URL": urls(3), "TEXT": ["d"]})
    write_pair(tmp_path, 2, {"URL": urls(2), "TEXT": ["c"]})
    write_pair(tmp_path, 0, {"URL": [*urls(0), None, "  "], "TEXT": ["a", "b", None]})
    stream = LinkedImages(path=tmp_path, clip="ViT-B-32/openai").read()
    table = ImageTable.from_rows(stream, stream.ledger)
    assert table.column("image_id") == ["metadata_0/0", "metadata_0/1", "metadata_0/2", "metadata_2/0", "metadata_10/0"]
    assert table.column("source") == [*urls(0), None, None, *urls(2, 3)]
    assert table.column("caption") == ["a", "b", None, "c", "d"]
    assert table.column("refused") == [None, "no url", "no url", None, None]
    assert table.column("image") == [None] * 5
    assert table.ledger == {
        "kind": "links",
        "embeddings": [str(tmp_path / f"img_emb/img_emb_{number}.npy") for number in (0, 2, 10)],
        "index": None,
        "clip": "ViT-B-32/openai",
        "dimension": 4,
        "read": 5,
        "unsafe": 0,
        "watermarked": 0,
        "dissimilar": 0,
        "no_url": 2,
    }
    json.dumps(table.ledger)


def test_what_must_not_be_used_is_marked_and_counted(tmp_path):
    about = {
        "url": [*urls(*range(7)), ""],
        "punsafe": [0.49, 0.5, 0.83, None, float("nan"), 0.0, 0.0, 0.9],
        "NSFW": ["UNLIKELY", "UNLIKELY", "UNSURE", "UNSURE", "nsfw", "UNSURE", None, "NSFW"],
        "pwatermark": [0.79, 0.1, 0.91, 0.8, 0.0, 0.91, None, 0.0],
        "SIMILARITY": [0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.29, None],
    }
    write_pair(tmp_path, 0, about)
    kept_or_not = [
        None,
        "unsafe: punsafe 0.50",
        "unsafe: punsafe 0.83",
        "watermark: 0.80",
        "unsafe: NSFW",
        "watermark: 0.91",
        None,
        "no url",
    ]
    assert refusals(tmp_path) == kept_or_not
    assert refusals(tmp_path, similarity_from=0.3) == [
        *kept_or_not[:6],
        "dissimilar: similarity 0.290, not 0.3 or more",
        "no url",
    ]
    assert refusals(tmp_path, unsafe_below=1.01, watermark_below=1.01) == [
        *[None] * 4,
        "unsafe: NSFW",
        None,
        None,
        "no url",
    ]
    stream = LinkedImages(path=tmp_path, similarity_from=0.3).read()
    assert len(list(stream)) == 8
    assert [stream.ledger[name] for name in COUNTS] == [8, 3, 2, 1, 1]


def test_an_unknown_similarity_is_not_one_that_is_high_enough(tmp_path):
    write_pair(tmp_path, 0, {"url": urls(0, 1), "similarity": pa.array([None, float("nan")], pa.float32())})
    assert refusals(tmp_path, similarity_from=0.1) == ["dissimilar: similarity unknown, not 0.1 or more"] * 2


def test_a_numeric_nsfw_is_a_probability_and_a_flag_is_one_too(tmp_path):
    write_pair(tmp_path / "a", 0, {"url": urls(0, 1), "NSFW": [0.2, 0.7]})
    assert refusals(tmp_path / "a") == [None, "unsafe: punsafe 0.70"]
    write_pair(tmp_path / "b", 0, {"url": urls(0, 1), "nsfw": [False, True]})
    assert refusals(tmp_path / "b") == [None, "unsafe: punsafe 1.00"]


@pytest.mark.parametrize("name", ["url", "URL", "Url", "image_url", "IMAGE_URL"])
@pytest.mark.parametrize("text", ["caption", "TEXT", "text", "Caption"])
def test_columns_are_found_by_their_usual_names(tmp_path, name, text):
    write_pair(tmp_path, 0, {"key": ["k"], text: ["a cat"], name: urls(0)})
    (row,) = LinkedImages(path=tmp_path).read()
    assert (row["source"], row["caption"]) == (urls(0)[0], "a cat")


def test_columns_may_be_named(tmp_path):
    write_pair(tmp_path, 0, {"url": ["no"], "link": urls(0), "alt": ["a cat"], "caption": ["no"], "id": [1]})
    (row,) = LinkedImages(path=tmp_path, url_column="link", caption_column="alt").read()
    assert (row["source"], row["caption"]) == (urls(0)[0], "a cat")
    with pytest.raises(
        UserError, match=r'metadata_0\.parquet: url_column is "lnk", but no column is; did you mean "link"'
    ):
        LinkedImages(path=tmp_path, url_column="lnk").read()
    with pytest.raises(UserError, match=r'caption_column is "id", which holds int64; it must hold text'):
        LinkedImages(path=tmp_path, caption_column="id").read()


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string()), pa.string_view()]
)
def test_text_may_be_stored_in_any_way(tmp_path, kind):
    if kind == pa.string_view():
        table = pa.table({"url": pa.array(["http://a.example/é"], kind)})
    else:
        table = pa.table({"url": pa.array(["http://a.example/é"]).cast(kind)})
    write_pair(tmp_path, 0, table)
    (row,) = LinkedImages(path=tmp_path).read()
    assert row["source"] == "http://a.example/é"


def test_text_that_is_no_utf8_is_read_as_far_as_it_can_be(tmp_path):
    for kind, stored in ((pa.string(), pa.binary()), (pa.large_string(), pa.large_binary())):
        broken = pa.Array.from_buffers(kind, 1, pa.array([b"caf\xe9"], stored).buffers())
        write_pair(tmp_path, 0, pa.table({"url": pa.array(urls(0)), "text": broken}))
        stream = LinkedImages(path=tmp_path).read()
        assert ImageTable.from_rows(stream).column("caption") == ["caf\ufffd"]


def test_metadata_may_come_alone_if_its_embeddings_are_named(tmp_path):
    write_pair(tmp_path / "a", 0, {"url": urls(0, 1)})
    metadata, embeddings = tmp_path / "a/metadata", tmp_path / "a/img_emb"
    for path in (metadata, metadata / "metadata_0.parquet"):
        for place in (embeddings, embeddings / "img_emb_0.npy"):
            stream = LinkedImages(path=path, embeddings=place).read()
            assert len(list(stream)) == 2
            assert stream.ledger["embeddings"] == [str(embeddings / "img_emb_0.npy")]


def test_an_index_is_found_or_named(tmp_path):
    write_pair(tmp_path / "a", 0, {"url": urls(0)})
    (tmp_path / "b.index").write_bytes(b"")
    reader = LinkedImages(path=tmp_path / "a", index=tmp_path / "b.index")
    assert reader.read().ledger["index"] == str(tmp_path / "b.index")
    (tmp_path / "a/image.index").write_bytes(b"")
    assert LinkedImages(path=tmp_path / "a").read().ledger["index"] == str(tmp_path / "a/image.index")
    with pytest.raises(UserError, match=r"c\.index: there is no index; leave `index` out"):
        LinkedImages(path=tmp_path / "a", index=tmp_path / "c.index").read()


def test_it_says_what_it_reads(tmp_path):
    write_pair(tmp_path, 0, {"url": urls(0)})
    assert LinkedImages(path=tmp_path).reads == (tmp_path / "metadata", tmp_path / "img_emb")
    (tmp_path / "image.index").write_bytes(b"")
    assert LinkedImages(path=tmp_path).reads == (tmp_path / "metadata", tmp_path / "img_emb", tmp_path / "image.index")
    file = tmp_path / "metadata/metadata_0.parquet"
    assert LinkedImages(path=file, embeddings=tmp_path / "x").reads == (file, tmp_path / "x")


def test_it_is_a_part_of_the_readers(tmp_path):
    write_pair(tmp_path, 0, {"url": urls(0)})
    package = "retrieval_vs_diffusion.images.readers"
    reader = build_part(package, {"type": "linked_images", "path": str(tmp_path)}, "pool.reader")
    assert reader == LinkedImages(path=tmp_path)
    with pytest.raises(
        UserError, match=r"pool\.reader\.unsafe: there is no such key here; did you mean \"unsafe_below\""
    ):
        build_part(package, {"type": "linked_images", "path": str(tmp_path), "unsafe": 1}, "pool.reader")


def test_nothing_and_no_embeddings_say_what_would_do(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: nothing there; bring metadata in Parquet"):
        LinkedImages(path=tmp_path / "nowhere").read()
    with pytest.raises(UserError, match=r"no \.parquet file in it"):
        LinkedImages(path=tmp_path).read()
    pq.write_table(pa.table({"url": urls(0)}), tmp_path / "part.parquet")
    for path in (tmp_path, tmp_path / "part.parquet"):
        with pytest.raises(
            UserError, match=r"img_emb: no embeddings .*img_emb as clip-retrieval.*img2dataset.*captioned_"
        ):
            LinkedImages(path=path).read()


def test_metadata_without_links_names_what_was_found(tmp_path):
    write_pair(tmp_path, 0, {"image_path": ["a.jpg"], "caption": ["a"], "url": [1]})
    with pytest.raises(
        UserError, match=r"no column of addresses; name it as url_column; found image_path, caption, url"
    ):
        LinkedImages(path=tmp_path).read()


def test_embeddings_of_other_numbers_name_both(tmp_path):
    write_pair(tmp_path, 0, {"url": urls(0, 1)})
    write_pair(tmp_path, 1, {"url": urls(2, 3, 4)})
    np.save(tmp_path / "img_emb/img_emb_1.npy", np.zeros((2, 4), np.float32))
    with pytest.raises(UserError, match=r"img_emb_1\.npy: 2 embeddings, but .*metadata_1\.parquet has 3 rows"):
        LinkedImages(path=tmp_path).read()
    np.save(tmp_path / "img_emb/img_emb_1.npy", np.zeros((4, 4), np.float32))
    with pytest.raises(UserError, match=r"img_emb_1\.npy: 4 embeddings, but .*metadata_1\.parquet has 3 rows"):
        LinkedImages(path=tmp_path).read()
    (tmp_path / "img_emb/img_emb_1.npy").unlink()
    with pytest.raises(UserError, match=r"img_emb: 1 embedding files, but 2 metadata files in .*metadata;"):
        LinkedImages(path=tmp_path).read()
    np.save(tmp_path / "img_emb/img_emb_2.npy", np.zeros((3, 4), np.float32))
    with pytest.raises(UserError, match=r"img_emb_2\.npy: comes where the embeddings of .*metadata_1\.parquet should"):
        LinkedImages(path=tmp_path).read()


def test_embeddings_of_another_model_are_told(tmp_path):
    write_pair(tmp_path, 0, {"url": urls(0)}, dimension=512)
    write_pair(tmp_path, 1, {"url": urls(1)}, dimension=768)
    with pytest.raises(UserError, match=r"img_emb_1\.npy: embeddings of dimension 768, but .*img_emb_0\.npy has 512"):
        LinkedImages(path=tmp_path).read()


class Bomb:
    exploded = False

    def __reduce__(self):
        return (setattr, (Bomb, "exploded", True))


def test_embeddings_that_would_run_something_are_refused(tmp_path):
    write_pair(tmp_path, 0, {"url": urls(0)})
    file = tmp_path / "img_emb/img_emb_0.npy"
    np.save(file, np.array([[Bomb()]], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"img_emb_0\.npy: is no whole \.npy file of numbers"):
        LinkedImages(path=tmp_path).read()
    file.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UserError, match=r"img_emb_0\.npy: is no whole \.npy file of numbers"):
        LinkedImages(path=tmp_path).read()
    assert not Bomb.exploded


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros(4, np.float32), r"found float32 of shape \(4,\)"),
        (np.zeros((1, 4), np.int64), r"found int64 of shape \(1, 4\)"),
        (np.zeros((1, 4), [("a", "f4")]), r"embeddings are float16 or float32"),
    ],
)
def test_arrays_that_are_no_embeddings_are_told(tmp_path, array, said):
    write_pair(tmp_path, 0, {"url": urls(0)})
    np.save(tmp_path / "img_emb/img_emb_0.npy", array)
    with pytest.raises(UserError, match=said):
        LinkedImages(path=tmp_path).read()


def test_half_files_are_told(tmp_path):
    write_pair(tmp_path, 0, {"url": urls(*range(2000))}, dimension=64)
    file = tmp_path / "img_emb/img_emb_0.npy"
    whole = file.read_bytes()
    for length in (0, 5, 60, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"img_emb_0\.npy: is no whole \.npy file of numbers"):
            LinkedImages(path=tmp_path).read()
    file.write_bytes(whole)
    table = tmp_path / "metadata/metadata_0.parquet"
    table.write_bytes(table.read_bytes()[:-10])
    with pytest.raises(UserError, match=r"metadata_0\.parquet: is no whole Parquet file"):
        LinkedImages(path=tmp_path).read()


def test_damage_inside_metadata_is_told(tmp_path):
    write_pair(tmp_path, 0, {"url": urls(*range(2000))})
    table = tmp_path / "metadata/metadata_0.parquet"
    data = bytearray(table.read_bytes())
    data[4:200] = b"\xff" * 196
    table.write_bytes(data)
    with pytest.raises(UserError, match=r"metadata_0\.parquet: is no whole Parquet file"):
        list(LinkedImages(path=tmp_path).read())


def test_files_with_other_columns_are_told(tmp_path):
    write_pair(tmp_path, 0, {"url": urls(0), "punsafe": [0.1]})
    write_pair(tmp_path, 1, {"url": urls(1)})
    with pytest.raises(
        UserError, match=r"metadata_1\.parquet: has other columns than metadata_0\.parquet \(unsafe: puns"
    ):
        LinkedImages(path=tmp_path).read()
    write_pair(tmp_path, 1, {"url": urls(1), "punsafe": pa.nulls(1)})  # pandas writes so what is nowhere known
    assert refusals(tmp_path) == [None, None]
    write_pair(tmp_path, 1, {"url": urls(1), "punsafe": ["0.9"]})
    with pytest.raises(UserError, match=r"metadata_1\.parquet: column punsafe holds string; it must hold numbers"):
        LinkedImages(path=tmp_path).read()


def test_a_similarity_that_is_not_there_is_not_asked_for_in_vain(tmp_path):
    write_pair(tmp_path, 0, {"url": urls(0)})
    with pytest.raises(UserError, match=r"similarity_from needs a column similarity"):
        LinkedImages(path=tmp_path, similarity_from=0.3).read()


def test_no_rows_are_no_error(tmp_path):
    write_pair(tmp_path, 0, {"url": pa.array([], pa.string())})
    stream = LinkedImages(path=tmp_path).read()
    assert list(stream) == []
    assert stream.ledger["read"] == 0


def test_a_large_pool_is_read_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr("retrieval_vs_diffusion.images.downloads.link_columns._BATCH", 100)
    captions = [f"{number}" * 10_000 for number in range(1000)]
    write_pair(tmp_path, 0, {"url": urls(*range(1000)), "caption": captions})
    size = sum(map(len, captions))
    tracemalloc.start()
    stream = LinkedImages(path=tmp_path).read()
    assert sum(1 for _ in stream) == 1000
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < size / 4
