"""Embeddings that run, lie about their size or are no numbers; indexes and weights that are none."""

from __future__ import annotations

import json
import logging
import pickle
import struct
import zipfile
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.readers.linked_images import LinkedImages
from retrieval_vs_diffusion.models import foreign_index
from retrieval_vs_diffusion.models.clip_folder import CONFIGURATION, WEIGHTS, text_configuration
from retrieval_vs_diffusion.models.embeddings import embeddings_of_files
from retrieval_vs_diffusion.models.safetensors_header import read_header
from retrieval_vs_diffusion.models.vector_index import refer_to_index
from tests.hostile_pool.bad_pictures import Canary
from tests.hostile_pool.corpus import CAPTIONS, HALF_PAIR
from tests.images.made_collections import write

GOOD = np.eye(4, 8, dtype=np.float16)


def npy(header: str | bytes, body: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    data = header.encode() if isinstance(header, str) else header
    length = struct.pack("<H" if version[0] == 1 else "<I", len(data))
    return b"\x93NUMPY" + version + length + data + body


def described(descr: str, shape: str, order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


ZIP_BOMB = b"PK\x03\x04" + bytes(26) + b"x"
FILES: dict[str, bytes] = {
    "empty": b"",
    "a page": b"<html></html>",
    "a pickle": pickle.dumps(Canary()),
    "an archive": ZIP_BOMB,
    "objects": npy(described("'|O'", "(4, 8)"), pickle.dumps(Canary())),
    "objects in a record": npy(described("[('a', '|O')]", "(4, 8)"), pickle.dumps(Canary())),
    "a call": npy("__import__('os').system('touch EXECUTED')\n"),
    "a call in a header": npy("{'descr': open('EXECUTED', 'w'), 'fortran_order': False, 'shape': (4, 8), }\n"),
    "10^12 rows": npy(described("'<f2'", "(1000000000000, 8)")),
    "2^62 rows": npy(described("'<f2'", "(4611686018427387904, 8)")),
    "2^64 rows": npy(described("'<f2'", "(18446744073709551616, 8)")),
    "minus 4 rows": npy(described("'<f2'", "(-4, 8)"), GOOD.tobytes()),
    "no width": npy(described("'<f2'", "(4, 0)")),
    "no shape": npy(described("'<f2'", "()"), bytes(2)),
    "one dimension": npy(described("'<f2'", "(32,)"), GOOD.tobytes()),
    "three dimensions": npy(described("'<f2'", "(4, 2, 4)"), GOOD.tobytes()),
    "floating rows": npy(described("'<f2'", "(4.0, 8)"), GOOD.tobytes()),
    "half": npy(described("'<f2'", "(4, 8)"), GOOD.tobytes()[:-1]),
    "double precision": npy(described("'<f8'", "(4, 8)"), GOOD.astype("f8").tobytes()),
    "integers": npy(described("'<i2'", "(4, 8)"), GOOD.tobytes()),
    "complex": npy(described("'<c8'", "(4, 8)"), GOOD.astype("c8").tobytes()),
    "the other byte order": npy(described("'>f2'", "(4, 8)"), GOOD.tobytes()),
    "text": npy(described("'<U1'", "(4, 8)"), bytes(128)),
    "dates": npy(described("'<M8[s]'", "(4, 8)"), bytes(256)),
    "no such type": npy(described("'<q99'", "(4, 8)")),
    "an open quote": npy("('''"),
    "brackets": npy("(" * 5_000),
    "a list as a key": npy("{[]: 1}"),
    "another key": npy("{'descr': '<f2', 'fortran_order': False, 'shape': (4, 8), 'more': 1}"),
    "a long header": npy(" " * 60_000 + described("'<f2'", "(4, 8)")),
    "version 9": npy(described("'<f2'", "(4, 8)"), GOOD.tobytes(), b"\x09\x00"),
    "a header of 4 GB": b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
}


def pool_of(folder: Path, embeddings: bytes, **columns) -> LinkedImages:
    """A pool of links as clip-retrieval lays it out: 4 rows."""
    table = {"url": [f"https://x.example/{number}" for number in range(4)], **columns}
    (folder / "metadata").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), folder / "metadata/metadata_0.parquet")
    write(folder, {"img_emb/img_emb_0.npy": embeddings})
    return LinkedImages(path=folder)


def saved(array: np.ndarray) -> bytes:
    return npy(described(f"'{array.dtype.str}'", repr(array.shape)), array.tobytes())


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("way", ["reader", "search"])
def test_what_are_no_embeddings_is_refused_in_one_line_and_not_run(way, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reader = pool_of(tmp_path / "pool", FILES[name])
    file = tmp_path / "pool/img_emb/img_emb_0.npy"
    with pytest.raises(UserError, match=r"img_emb_0.npy: ") as caught:
        _ = list(reader.read()) if way == "reader" else embeddings_of_files([file], "clip")
    assert "\n" not in str(caught.value)
    assert not Path("EXECUTED").exists()


def test_an_archive_of_arrays_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "0.npy", "w") as archive:
        archive.writestr("a.npy", saved(GOOD))
    with pytest.raises(UserError, match=r"0.npy: found an archive"):
        embeddings_of_files([tmp_path / "0.npy"], "clip")


def test_rows_without_a_direction_are_counted_and_the_others_are_found(tmp_path):
    rows = GOOD.astype(np.float32)
    bad = np.array([[np.nan] * 8, [np.inf] + [0] * 7, [0] * 8, [-np.inf] * 8, [3e38] * 8, [1e-40] * 8], np.float32)
    write(tmp_path, {"0.npy": saved(np.concatenate([rows[:2], bad, rows[2:]]))})
    embeddings = embeddings_of_files([tmp_path / "0.npy"], "clip")
    assert embeddings.broken == 5  # all but the row of 3e38, whose square double precision holds
    read = embeddings.rows(np.arange(10))
    assert np.array_equal(read[[0, 1, 8, 9]], rows)
    assert np.isfinite(read).all()
    assert np.allclose(np.linalg.norm(read, axis=1), [1, 1, 0, 0, 0, 0, 1, 0, 1, 1])


def test_columns_in_fortran_s_order_are_read_rightly(tmp_path):
    write(tmp_path, {"0.npy": npy(described("'<f2'", "(4, 8)", "True"), GOOD.tobytes(order="F"))})
    assert np.array_equal(embeddings_of_files([tmp_path / "0.npy"], "clip").rows(np.arange(4)), GOOD)


@pytest.mark.parametrize("case", CAPTIONS, ids=lambda case: case.name)
def test_captions_of_links_are_plain_too(case, tmp_path):
    stream = pool_of(tmp_path, saved(GOOD), caption=["a", case.text, "b", None]).read()
    table = ImageTable.from_rows(stream)
    assert table.column("caption") == ["a", case.read or None, "b", None]


LINKS = [
    *("file:///etc/passwd", "javascript:alert(1)", "data:image/png;base64,AA==", "http://[fe80::1%25eth0]/"),
    *("http://a:b@x.example/", "http://127.0.0.1/", "http://10.0.0.1/", "http://x.example/\r\nHost: y"),
    *("", "   ", "\0", "x" * 1_000_000, "//x.example", "=cmd|' /C calc'!A1", "http://x.example/<script>", None),
]


def test_links_are_rows_whatever_they_say_and_none_is_dropped(tmp_path):
    """Row i has embedding i; what may be asked is the fetcher's matter, when it is."""
    reader = pool_of(tmp_path, saved(np.ones((16, 8), np.float16)), url=LINKS)
    stream = reader.read()
    table = ImageTable.from_rows(stream)
    assert len(table) == len(LINKS) == 16
    assert table.column("source") == [link.strip() or None if link else None for link in LINKS]
    assert [row for row, refused in enumerate(table.column("refused")) if refused] == [8, 9, 15]
    assert stream.ledger["no_url"] == 3


def test_metadata_that_claims_another_number_of_rows_is_told(tmp_path, monkeypatch):
    """Else every row behind it would have the embedding of another."""
    reader = pool_of(tmp_path, saved(GOOD))
    stream = reader.read()
    pq.write_table(pa.table({"url": ["a", "b", "c"]}), tmp_path / "metadata/metadata_0.parquet")
    monkeypatch.setattr("retrieval_vs_diffusion.images.readers.linked_images._rows", lambda path: 4)
    with pytest.raises(UserError, match=r"metadata_0.parquet: says that it has 4 rows and has 3; bring it again"):
        list(stream)


def test_a_column_of_metadata_that_is_there_twice_is_told(tmp_path):
    reader = pool_of(tmp_path, saved(GOOD))
    table = pa.table([pa.array(list("abcd")), pa.array(list("efgh"))], ["url", "url"])
    pq.write_table(table, tmp_path / "metadata/metadata_0.parquet")
    with pytest.raises(UserError, match=r'metadata_0.parquet: has the column "url" more than once'):
        reader.read()


def index_file(folder: Path, factory: str = "Flat") -> tuple[Path, np.ndarray]:
    vectors = np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = faiss.index_factory(16, factory, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    index.add(vectors)
    faiss.write_index(index, str(folder / "image.index"))
    return folder / "image.index", vectors


@pytest.mark.parametrize("factory", ["Flat", "IVF4,Flat", "HNSW8,Flat"])
def test_a_damaged_index_is_refused_or_searched_and_nothing_else(factory, tmp_path, caplog, monkeypatch):
    """Numbers of all its first 96 bytes are overwritten, one after the other: sizes, counts, metric, flags."""
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(foreign_index, "check_survives", lambda path: None)  # which takes a second each time
    path, vectors = index_file(tmp_path, factory)
    write(tmp_path, {"0.npy": saved(vectors)})
    embeddings = embeddings_of_files([tmp_path / "0.npy"], "clip")
    whole = path.read_bytes()
    refused = 0
    for at in range(0, 96, 4):
        for number in (-1, 0, 2**31 - 1):
            path.write_bytes(whole[:at] + struct.pack("<i", number) + whole[at + 4 :])
            try:
                refer_to_index(path, embeddings).search(vectors[:3], 2)
            except UserError as error:
                assert "\n" not in str(error)  # noqa: PT017
                refused += 1
    assert refused >= 10


@pytest.mark.parametrize("contents", [b"", b"<html>", pickle.dumps(Canary()), b"IxFI" + b"\xff" * 100])
def test_what_is_no_index_is_refused(contents, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, vectors = index_file(tmp_path)
    write(tmp_path, {"image.index": contents, "0.npy": saved(vectors)})
    with pytest.raises(UserError, match=r"image.index: FAISS .* cannot read this index"):
        refer_to_index(tmp_path / "image.index", embeddings_of_files([tmp_path / "0.npy"], "clip"))
    assert not Path("EXECUTED").exists()


def test_an_index_that_ends_the_process_that_reads_it_ends_another_one(tmp_path):
    """Found by the fuzz: FAISS 1.15.1 reads where nothing is."""
    write(tmp_path, {"0.npy": saved(np.eye(8, dtype=np.float32))})
    write(tmp_path, {"image.index": b"IwSq\x08\0\0\0@\0\0\0\0\0\0\0\0\0\x10\0\0IwSq\0"})
    with pytest.raises(UserError, match=r"image.index: a process in which FAISS was to .* was ended by the signal \d+"):
        refer_to_index(tmp_path / "image.index", embeddings_of_files([tmp_path / "0.npy"], "clip"))


SAFETENSORS = {
    "empty": b"",
    "a pickle": pickle.dumps(Canary()),
    "a header of 2^63 bytes": struct.pack("<Q", 2**63) + b"{}",
    "deep": struct.pack("<Q", 100_000) + b'{"a":' * 20_000,
    "no data": struct.pack("<Q", 62) + b'{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4]}}'[:62],
    "offsets beyond": struct.pack("<Q", 59) + b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,800000]}}' + bytes(8),
    "nothing": struct.pack("<Q", 2) + b"{}",
}


@pytest.mark.parametrize("name", SAFETENSORS)
def test_weights_that_are_none_are_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"a.safetensors": SAFETENSORS[name]})
    mended = "is a pickle, which can run code when read; convert it" if name == "a pickle" else "bring it again"
    with pytest.raises(UserError, match=f"a.safetensors .*{mended}"):
        read_header(tmp_path / "a.safetensors", "x")
    assert not Path("EXECUTED").exists()


CONFIGURATIONS = [
    *(
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'{"a":' * 100_000,
        b'{"model_cfg": []}',
        b'{"model_cfg": {"text_cfg": "ab"}}',
    ),
    b'{"model_cfg": {"text_cfg": 1e999}}',
]


@pytest.mark.parametrize("text", CONFIGURATIONS, ids=range(len(CONFIGURATIONS)))
def test_a_configuration_that_is_none_is_refused(text, tmp_path):
    write(tmp_path, {CONFIGURATION: text, WEIGHTS: b""})
    with pytest.raises(UserError, match=r"is no open_clip configuration"):
        text_configuration(tmp_path)


def test_half_a_pair_is_no_caption_of_parquet_but_of_json():
    """What the other tests of captions rest on."""
    assert json.loads(json.dumps(HALF_PAIR.text)) == HALF_PAIR.text
    with pytest.raises(UnicodeEncodeError):
        pa.array([HALF_PAIR.text])


def test_a_name_of_a_column_of_links_that_is_no_utf8_is_told(tmp_path):
    """Found by the fuzz."""
    reader = pool_of(tmp_path, saved(GOOD))
    path = tmp_path / "metadata/metadata_0.parquet"
    pq.write_table(pa.table({"url": list("abcd"), "caption": list("abcd")}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"capti", b"\xffapti"))
    with pytest.raises(UserError, match=r"metadata_0.parquet: is no whole Parquet file"):
        reader.read()
