"""What holds for any bytes, texts and names: drawn by hypothesis, the same ones in every run."""

from __future__ import annotations

import csv
import html
import io
import json
import unicodedata
from pathlib import PurePosixPath

import numpy as np
import pyarrow.parquet as pq
from hypothesis import example, given, settings
from hypothesis import strategies as some

from retrieval_vs_diffusion.errors import UserError, one_line
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.class_naming import class_name_of, class_names_of
from retrieval_vs_diffusion.images.codec import BrokenImageError
from retrieval_vs_diffusion.images.collections.plain_text import LONGEST_CAPTION, plain, plain_caption
from retrieval_vs_diffusion.images.folder_names import LONGEST, folder_names
from retrieval_vs_diffusion.images.image_files import read_image
from retrieval_vs_diffusion.images.image_table import SCHEMA, ImageTable, content_hash
from retrieval_vs_diffusion.images.photo import photo_row
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.spreadsheet_cells import cell_of, text_of
from tests.hostile_pool.any_bytes import SEEDS, damaged, folder
from tests.images.made_collections import encoded, noise

any_text = some.text(some.characters())  # halves of pairs too
any_name = some.text(some.characters(exclude_characters="/\0"), min_size=1, max_size=60)


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


def test_the_pictures_that_are_damaged_are_whole_at_first():
    assert all(read_image(seed).shape == (10, 12, 3) for seed in SEEDS)
    assert np.array_equal(read_image(SEEDS[0]), noise(1))
    assert "caption" in SCHEMA.names
