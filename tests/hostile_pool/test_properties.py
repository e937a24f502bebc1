"""What holds for any bytes, texts and names: drawn by hypothesis, the same ones in every run."""

from __future__ import annotations

import csv
import html
import io
import json
import struct
import tarfile
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from retrieval_vs_diffusion.errors import UserError, one_line
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.class_naming import class_name_of, class_names_of
from retrieval_vs_diffusion.images.codec import BrokenImageError
from retrieval_vs_diffusion.images.collections.plain_text import LONGEST_CAPTION, plain, plain_caption
from retrieval_vs_diffusion.images.collections.sidecars import described
from retrieval_vs_diffusion.images.collections.tar_members import tar_members
from retrieval_vs_diffusion.images.downloads.embedding_files import shape_of
from retrieval_vs_diffusion.images.folder_names import LONGEST, folder_names
from retrieval_vs_diffusion.images.formats.captions_csv import CaptionsCsv
from retrieval_vs_diffusion.images.formats.labels_csv import LabelsCsv
from retrieval_vs_diffusion.images.formats.parquet import Parquet
from retrieval_vs_diffusion.images.formats.web_dataset import WebDataset
from retrieval_vs_diffusion.images.image_files import read_image
from retrieval_vs_diffusion.images.image_table import SCHEMA, ImageTable, content_hash
from retrieval_vs_diffusion.images.photo import photo_row
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.models.sharded_vectors import ShardedVectors
from retrieval_vs_diffusion.models.unit_vectors import unit_vectors
from retrieval_vs_diffusion.spreadsheet_cells import cell_of, text_of
from retrieval_vs_diffusion.strategies.class_table import read_class_table
from tests.images.made_collections import encoded, noise, write

settings.register_profile(
    "hostile", deadline=None, derandomize=True, max_examples=60, suppress_health_check=list(HealthCheck), database=None
)
settings.load_profile("hostile")

SEEDS = [encoded(1), encoded(2, "JPEG"), encoded(3, "GIF"), encoded(4, "WEBP"), encoded(5, "BMP"), encoded(6, "TIFF")]
any_text = some.text(some.characters())  # halves of pairs too
any_name = some.text(some.characters(exclude_characters="/\0"), min_size=1, max_size=60)


@some.composite
def damaged(draw, seeds=tuple(SEEDS)) -> bytes:
    """A whole file with some of its bytes overwritten, put in, or cut off at the end."""
    data = bytearray(draw(some.sampled_from(seeds)))
    for at in draw(some.lists(some.integers(0, len(data) - 1), max_size=8)):
        data[at : at + draw(some.integers(0, 4))] = draw(some.binary(max_size=4))
    return bytes(data[: draw(some.integers(0, len(data)))] if draw(some.booleans()) else data)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


@settings(max_examples=400)
@given(some.binary(max_size=300) | damaged())
def test_any_bytes_are_a_picture_or_a_broken_one(data):
    for read in (codec.decode, read_image):
        try:
            pixels = read(data)
        except BrokenImageError:
            continue
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3


@settings(max_examples=200)
@given(damaged(), some.sampled_from([None, 8, 9]))
def test_a_row_holds_the_pixels_that_were_hashed_or_there_is_none(data, short_side):
    try:
        row = photo_row(Sample("key", data), short_side)
    except BrokenImageError:
        return
    kept = codec.decode(row["image"]["bytes"])
    assert content_hash(kept) == row["content_hash"]  # 12 x 10 pixels: PNG, without loss
    assert min(kept.shape[:2]) >= 8


@given(some.integers(1, 40), some.integers(1, 40), some.sampled_from([None, 8, 20]))
@example(8, 8, 8)
@example(7, 8, None)
@example(8, 7, 8)
def test_sizes_are_kept_or_shrunk_to_the_short_side(width, height, short_side):
    try:
        row = photo_row(Sample("key", encoded(0, "PNG", width, height)), short_side)
    except BrokenImageError as error:
        assert min(width, height) < 8
        assert str(error).startswith("too small")  # noqa: PT017
        return
    shown = codec.decode(row["image"]["bytes"]).shape
    assert min(shown[:2]) == min(width, height, short_side or 40)


@given(any_text)
@example("\ud83d")
@example("\x00" * 50_000 + "a")
@example("a" * 10_001)
@example("\u2028\u2029\x85")
def test_any_caption_survives_to_parquet_csv_and_page(text):
    caption = plain_caption(text)
    assert len(caption) <= LONGEST_CAPTION
    assert not any(unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in caption)
    assert plain_caption(caption) == caption
    buffer = io.BytesIO()
    pq.write_table(ImageTable.from_rows([{"image_id": "a", "content_hash": "b", "caption": caption}]).table, buffer)
    assert pq.read_table(buffer).column("caption").to_pylist() == [caption]
    with io.StringIO(newline="") as file:
        csv.writer(file).writerow([cell_of(caption), "end"])
        ((cell, end),) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert (text_of(cell), end) == (caption, "end")
    assert not cell.startswith(("=", "+", "-", "@"))
    assert html.unescape(html.escape(caption)).encode() == caption.encode()


@given(any_text)
def test_the_report_shows_any_caption_as_text(text):
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader("retrieval_vs_diffusion", "comparison/templates"), autoescape=True)
    caption = plain_caption(text + "<script>alert(1)</script>\"'")
    page = environment.from_string('<p title="{{ caption }}">{{ caption }}</p>').render(caption=caption)
    assert "<script" not in page
    assert page.count("<") == 2
    assert page.count('"') == 2


@given(any_text)
def test_any_message_is_one_line_that_can_be_shown(text):
    line = one_line(text)
    assert not {"\n", "\r", "\x1b", "\x9b", "\u202e"} & set(line)
    assert line.splitlines() in ([], [line])
    line.encode()
    assert str(UserError(text)) == line == one_line(line)


@given(some.lists(any_text, max_size=8))
@example(["a", "A", "a_1", "A_1"])
@example(["A_2", "a", "A"])  # the third would be called like the first
@example(["nul", "NUL.txt", "..", ".", "", "x" * 300, "x" * 301])
def test_any_class_names_are_folders_each_its_own(names):
    folders = folder_names([plain(name) for name in names])
    assert len({unicodedata.normalize("NFKC", each).casefold() for each in folders}) == len(names)
    with folder() as place:
        for number, each in enumerate(folders):
            assert PurePosixPath(each).name == each
            assert len(each.encode()) <= LONGEST + 12
            (place / each).mkdir()
            (place / each / "of").write_text(str(number))
        assert [(place / each / "of").read_text() for each in folders] == [str(n) for n in range(len(names))]


@given(some.lists(any_name, min_size=2, max_size=6, unique=True))
def test_any_labels_are_names_each_its_own_or_it_is_told(labels):
    try:
        names = class_names_of(labels)
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert sorted(names) == sorted(labels)
    assert len(set(names.values())) == len(labels)
    for name in names.values():
        assert class_name_of(name) == name or name[:3].isdecimal() or name.startswith("n")  # 001.002.a is 002.a
        json.dumps(name).encode()
        name.encode()


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


def test_the_pictures_that_are_damaged_are_whole_at_first():
    assert all(read_image(seed).shape == (10, 12, 3) for seed in SEEDS)
    assert np.array_equal(read_image(SEEDS[0]), noise(1))
    assert "caption" in SCHEMA.names
