"""Each hostile picture and caption through every reader that can hold it, with good ones beside it."""

from __future__ import annotations

import functools
import json
import struct
import tempfile
import zlib
from collections import Counter
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from PIL import Image, ImageFile

from retrieval_vs_diffusion.images import codec, photo
from retrieval_vs_diffusion.images.image_files import FORMATS, read_image
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.photo import fault_of, photo_row
from retrieval_vs_diffusion.images.readers.captioned_images import CaptionedImages
from retrieval_vs_diffusion.images.readers.labelled_images import LabelledImages
from retrieval_vs_diffusion.images.sample import Sample
from tests.hostile_pool.containers import POOLS, TABLES, TARGETS, Entry
from tests.hostile_pool.corpus import CAPTIONS, HALF_PAIR, NOT_UTF8, NOT_UTF8_READ, Picture, all_pictures, good_pixels
from tests.images.made_collections import write, write_tar

PICTURES = {picture.name: picture for picture in all_pictures()}


def good(number: int, caption: str = "", label: str = "cat") -> Entry:
    return Entry(f"good_{number}.png", codec.encode(good_pixels(number)), caption or f"good {number}", label)


def corpus_between_good_ones() -> list[Entry]:
    bad = [Entry(each.name, each.data, f"caption of {each.name}") for each in PICTURES.values()]
    return [good(0), good(1, label="dog"), *bad, good(2), good(3, label="dog")]


def listing(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


@functools.cache
def pool(form: str) -> tuple[dict, dict, dict]:
    """Of the whole corpus as a pool: rows by name of the file, the ledger, and files that reading left behind."""
    with tempfile.TemporaryDirectory() as made:
        keys = POOLS[form](Path(made, "pool"), corpus_between_good_ones())
        before = listing(Path(made))
        stream = CaptionedImages(path=Path(made, "pool"), short_side=None).read()
        rows = {row["image_id"]: row for row in stream}
        ImageTable.from_rows(rows.values())
        left = {name: size for name, size in listing(Path(made)).items() if name not in before}
    named = {name: rows.pop(key) for name, key in keys.items() if key in rows}
    assert not rows
    return named, dict(stream.ledger), left


def reason_in(form: str, picture: Picture) -> str | None:
    # A table's empty cell says that there is no image, whatever its name.
    return "no image" if form in TABLES and not picture.data else picture.reason


def assert_shows(data: bytes, pixels: np.ndarray, off_by: float) -> None:
    shown = codec.decode(data)
    assert shown.shape == pixels.shape
    assert np.abs(shown.astype(int) - pixels).mean() <= off_by


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("form", POOLS)
def test_each_picture_of_a_pool_is_read_rightly_or_left_out(form, name):
    picture, rows = PICTURES[name], pool(form)[0]
    assert (name in rows) == (picture.pixels is not None)
    if picture.pixels is not None:
        assert rows[name]["caption"] == f"caption of {name}"
        assert_shows(rows[name]["image"]["bytes"], picture.pixels, picture.off_by)


@pytest.mark.parametrize("form", POOLS)
def test_what_is_left_out_of_a_pool_is_counted_by_reason_and_the_rest_is_used(form):
    rows, ledger, left_behind = pool(form)
    refused = [picture for picture in PICTURES.values() if picture.reason]
    assert ledger["reasons"] == Counter(reason_in(form, picture) for picture in refused)
    assert (ledger["read"], ledger["broken"]) == (len(PICTURES) + 4, len(refused))
    assert ledger["used"] == len(rows) == len(PICTURES) + 4 - len(refused)
    assert not ledger["left_out"]
    for number in range(4):
        row = rows[f"good_{number}.png"]
        assert row["caption"] == f"good {number}"
        assert_shows(row["image"]["bytes"], good_pixels(number), 0)
    assert not left_behind


@pytest.mark.parametrize("name", [name for name, picture in PICTURES.items() if picture.reason])
def test_each_bad_picture_is_refused_for_its_own_reason(name):
    with pytest.raises(codec.BrokenImageError) as caught:
        photo_row(Sample(name, PICTURES[name].data), None)
    assert fault_of(caught.value) == PICTURES[name].reason


@pytest.mark.parametrize("form", TARGETS)
def test_a_target_leaves_out_the_same_and_keeps_its_labels(form, tmp_path):
    dogs = [good(number, label="dog") for number in range(4, 20)]  # 18 with the two among the bad ones
    keys = TARGETS[form](tmp_path, [*corpus_between_good_ones(), *dogs])
    target = LabelledImages(path=tmp_path, val=0.2, test=0.2, short_side=None).read()
    parts = (target.test, target.val, target.reservoir)
    rows = {row["image_id"]: row for part in parts for row in part}
    named = {name: rows.pop(key) for name, key in keys.items() if key in rows}
    assert not rows
    expected = {name for name, picture in PICTURES.items() if picture.pixels is not None}
    assert set(named) == expected | {f"good_{number}.png" for number in range(20)}
    assert [named[f"good_{number}.png"]["label"] for number in range(20)] == [0, 1, 0, 1, *[1] * 16]
    refused = Counter(reason_in(form, picture) for picture in PICTURES.values() if picture.reason)
    assert sum((Counter(part.ledger["reasons"]) for part in parts), Counter()) == refused


@pytest.mark.parametrize("case", CAPTIONS, ids=lambda case: case.name)
@pytest.mark.parametrize("form", POOLS)
def test_each_caption_is_one_plain_line_beside_its_own_picture(form, case, tmp_path):
    POOLS[form](tmp_path, [good(0), good(1, case.text) if case.text else Entry(*_named(1), ""), good(2)])
    rows = list(CaptionedImages(path=tmp_path).read())
    assert [row["caption"] for row in rows] == ["good 0", case.read, "good 2"]
    assert_shows(rows[1]["image"]["bytes"], good_pixels(1), 0)
    assert ImageTable.from_rows(rows).column("caption")[1] == case.read


def _named(number: int) -> tuple[str, bytes]:
    return good(number).name, good(number).data


@pytest.mark.parametrize("form", [form for form in POOLS if form != "captions_csv"])
def test_a_caption_that_is_no_utf8_is_read_as_far_as_it_can_be(form, tmp_path):
    POOLS[form](tmp_path, [good(0), Entry(*_named(1), NOT_UTF8), good(2)])
    assert [row["caption"] for row in CaptionedImages(path=tmp_path).read()] == ["good 0", NOT_UTF8_READ, "good 2"]


@pytest.mark.parametrize("form", ["web_dataset", "img2dataset_files"])
def test_half_a_pair_in_json_is_written_out(form, tmp_path):
    about = {"caption": HALF_PAIR.text, "url": "https://x.example/\ud800", "cls": "\udfff"}
    (name, data) = _named(0)
    if form == "web_dataset":
        write_tar(tmp_path / "0.tar", [(name, data), ("good_0.json", about)])
    else:
        write(tmp_path / "00000", {name: data, "good_0.json": json.dumps(about)})
    (row,) = CaptionedImages(path=tmp_path).read()
    assert (row["caption"], row["source"]) == (HALF_PAIR.read, "https://x.example/\\ud800")
    ImageTable.from_rows([row])


@pytest.mark.parametrize("error", [KeyError("x"), struct.error("x"), MemoryError(), RecursionError(), zlib.error("x")])
def test_whatever_a_decoder_raises_is_a_broken_image(error, monkeypatch):
    """Those of today raise four kinds of error on damaged files, and promise nothing."""
    monkeypatch.setattr(ImageFile.ImageFile, "load", mock.Mock(side_effect=error))
    for read in (codec.decode, read_image, lambda data: photo_row(Sample("x", data), 64)):
        with pytest.raises(codec.BrokenImageError):
            read(good(0).data)


def test_a_picture_of_very_many_bytes_is_too_large_wherever_it_lies(monkeypatch):
    monkeypatch.setattr(photo, "LARGEST_BYTES", 100)
    with pytest.raises(codec.BrokenImageError, match=r"^too large: [0-9]+ bytes are more than 100"):
        photo_row(Sample("x", good(0).data), None)


def test_no_decoder_is_asked_but_those_of_the_formats_named(monkeypatch):
    """Pillow knows some 40 formats; EPS would start Ghostscript, and others are old and seldom looked at."""
    Image.init()
    opened = []
    for kind, (factory, accept) in list(Image.OPEN.items()):

        def open_it(fp, filename, factory=factory, kind=kind):
            opened.append(kind)
            return factory(fp, filename)

        def accepts(prefix, accept=accept, kind=kind):
            opened.append(kind)
            return accept(prefix) if accept else True

        monkeypatch.setitem(Image.OPEN, kind, (open_it, accepts))
    for picture in PICTURES.values():
        for read in (lambda data: photo_row(Sample("x", data), 64), codec.decode):
            try:
                read(picture.data)
            except codec.BrokenImageError:
                continue
    assert len(Image.OPEN) > 30
    assert set(opened) <= set(FORMATS) == {"PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"}
