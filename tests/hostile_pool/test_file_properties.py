"""What holds for any archive, list, array and table: drawn by hypothesis, the same ones in every run."""

from __future__ import annotations

import io
import struct
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.plain_text import plain_caption
from retrieval_vs_diffusion.images.collections.sidecars import described
from retrieval_vs_diffusion.images.collections.tar_members import tar_members
from retrieval_vs_diffusion.images.downloads.embedding_files import shape_of
from retrieval_vs_diffusion.images.formats.captions_csv import CaptionsCsv
from retrieval_vs_diffusion.images.formats.labels_csv import LabelsCsv
from retrieval_vs_diffusion.images.formats.parquet import Parquet
from retrieval_vs_diffusion.images.formats.web_dataset import WebDataset
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.photo import photo_row
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.models.sharded_vectors import ShardedVectors
from retrieval_vs_diffusion.models.unit_vectors import unit_vectors
from retrieval_vs_diffusion.strategies.class_table import read_class_table
from tests.hostile_pool.any_bytes import SEEDS, damaged, folder
from tests.images.made_collections import encoded, write

member_names = some.lists(
    some.sampled_from(["..", ".", "", "a", "b", "/", "~", "C:", "\\", "good.jpg", "x.txt", "\udcff", "a" * 200]),
    max_size=5,
).map("/".join)
members = some.tuples(
    member_names,
    some.sampled_from([*tarfile.SUPPORTED_TYPES[:8], b"Z"]),
    some.sampled_from(["/etc/passwd", "../..", "a", ""]),
    some.binary(max_size=20),
)


@settings(max_examples=200)
@given(
    some.lists(members, max_size=8), some.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
)
def test_no_tar_gives_a_name_outside_of_it(drawn, form):
    with folder() as place:
        write(place, {"outside.jpg": b"secret"})
        try:
            with tarfile.open(place / "0.tar", "w", format=form) as archive:
                for name, kind, target, data in drawn:
                    info = tarfile.TarInfo(name)
                    info.type, info.linkname, info.size = kind, target, len(data)
                    archive.addfile(info, io.BytesIO(data))
        except (ValueError, UnicodeEncodeError):
            return
        faults = Counter[str]()
        found = list(tar_members(place / "0.tar", faults, lambda name: 1000))
        for name, content in found:
            assert not name.is_absolute()
            assert ".." not in name.parts
            assert content in [data for _, _, _, data in drawn]
        assert len(found) + sum(faults.values()) <= len(drawn) + 1
        for sample in WebDataset(place / "0.tar").samples():
            assert sample.image != b"secret"
        assert sorted(each.name for each in place.iterdir()) == ["0.tar", "outside.jpg"]


def whole_tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for number in range(3):
            info = tarfile.TarInfo(f"{'long/' * 30}{number}.jpg")
            info.size = len(encoded(number))
            archive.addfile(info, io.BytesIO(encoded(number)))
    return buffer.getvalue()


@settings(max_examples=200)
@given(damaged((whole_tar(),)) | some.binary(max_size=2_000))
def test_any_archive_is_read_as_far_as_it_goes(data):
    faults = Counter[str]()
    with folder() as place:
        write(place, {"0.tar": data})
        found = list(WebDataset(place).samples(None, faults))
    assert len(found) <= 3
    assert len(found) == 3 or faults


@settings(max_examples=200)
@given(
    some.binary(max_size=200) | some.text(some.sampled_from('path,label\n\r"caton.png/\\ \t;\0\ufeff')).map(str.encode)
)
@example(b"path,label,caption\na.png,x,y\n")
def test_any_csv_is_read_or_told_of_in_one_line(data):
    reads = (lambda path: LabelsCsv(path).samples(), lambda path: CaptionsCsv(path).samples(), _classes)
    with folder() as place:
        for header in (b"", b"path,label,caption\n", b"class,definition\n"):
            write(place, {"a.csv": header + data})
            for read in reads:
                try:
                    files = [Path(sample.image) for sample in read(place / "a.csv")]
                except UserError as error:
                    assert "\n" not in str(error)  # noqa: PT017
                    continue
                assert not any(".." in file.parts for file in files)


def _classes(path: Path) -> list:
    read_class_table(path)
    return []


def array_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


headers = some.text(some.sampled_from("{}[]()'\"descr:fortran_order shape,TrueFals<f204|O.-\n"), max_size=80)
npy_files = (
    damaged((array_bytes(np.eye(3, 4, dtype=np.float16)), array_bytes(np.eye(3, 4, dtype=np.float32))))
    | some.binary(max_size=100)
    | headers.map(lambda text: b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes(64))
)


@settings(max_examples=300)
@given(npy_files)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_any_npy_is_embeddings_or_told_of_in_one_line(data):
    with folder() as place:
        write(place, {"0.npy": data})
        shapes = []
        for read in (shape_of, lambda path: ShardedVectors([path])):
            try:
                read_one = read(place / "0.npy")
            except UserError as error:
                assert "\n" not in str(error)  # noqa: PT017
                continue
            shapes.append(read_one if isinstance(read_one, tuple) else read_one.shape)
            if isinstance(read_one, ShardedVectors):
                for batch in read_one.batches(2):
                    assert np.isfinite(batch).all()
        assert len(set(shapes)) == min(1, len(shapes))
        assert len(shapes) in (0, 2)  # both refuse the same


@given(some.lists(some.lists(some.floats(width=32), min_size=3, max_size=3), min_size=1, max_size=5))
def test_any_vectors_become_unit_vectors_or_zeros(rows):
    vectors = np.asarray(rows, dtype=np.float32)
    made, broken = unit_vectors(vectors)
    lengths = np.linalg.norm(made.astype(np.float64), axis=1)
    assert np.isfinite(made).all()
    assert (lengths == 0).sum() == broken
    assert np.allclose(lengths[lengths > 0], 1, atol=2e-3)


@settings(max_examples=100)
@given(some.dictionaries(some.sampled_from([".txt", ".json", ".cls"]), some.binary(max_size=40)))
@example({".json": b'{"punsafe": 1' + b"0" * 400 + b"}"})
def test_any_sidecars_describe_a_sample_that_a_table_holds(texts):
    faults = Counter[str]()
    sample = described("key", texts, faults, "here", None)
    if sample is not None:
        row = photo_row(
            Sample("key", SEEDS[0], source=sample.source), None, caption=plain_caption(sample.caption or "")
        )
        assert len(ImageTable.from_rows([row])) == 1


def whole_table() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"image": SEEDS[:3], "caption": list("abc"), "punsafe": [0.1, 0.2, None]}), buffer)
    return buffer.getvalue()


@settings(max_examples=150)
@given(damaged((whole_table(),)))
def test_any_parquet_is_read_or_told_of_in_one_line(data):
    with folder() as place:
        write(place, {"0.parquet": data})
        try:
            found = list(Parquet(place).samples())
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017
            return
    assert all(sample.caption is None or isinstance(sample.caption, str) for sample in found)
