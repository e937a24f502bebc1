"""CSV of odd bytes, cells without end, and paths that lead elsewhere."""

from __future__ import annotations

import csv
import pickle
from collections import Counter
from pathlib import Path

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections import listed_files
from retrieval_vs_diffusion.images.formats.captions_csv import CaptionsCsv
from retrieval_vs_diffusion.images.formats.labels_csv import LabelsCsv
from retrieval_vs_diffusion.images.readers.captioned_images import CaptionedImages
from tests.hostile_pool.bad_pictures import Canary
from tests.images.made_collections import encoded, write

IMAGES = [encoded(number) for number in range(4)]


def listed(folder: Path, text: str | bytes) -> Path:
    write(folder, {f"{number}.png": image for number, image in enumerate(IMAGES)})
    return write(folder, {"list.csv": text}) / "list.csv"


def test_a_cell_of_ten_megabytes_is_a_long_caption(tmp_path):
    listed(tmp_path, f"path,caption\n0.png,{'x' * 10_000_000}\n1.png,b\n")
    rows = list(CaptionedImages(path=tmp_path).read())
    assert [row["caption"] for row in rows] == ["x" * 10_000, "b"]
    assert csv.field_size_limit() >= 10_000_000


CSVS = {
    "latin-1": "path,caption\n0.png,caf\xe9\n".encode("latin-1"),
    "utf-16": "path,caption\n0.png,a\n".encode("utf-16"),
    "utf-16 without a mark": "path,caption\n0.png,a\n".encode("utf-16-le"),
    "a lone quote": b'path,caption\n0.png,"a\n1.png,b\n',
    "a quote within": b'path,caption\n0.png,"a" b\n',
    "zero bytes": b"path,caption\n0.png\0,a\n",
    "zeros alone": bytes(1000),
    "a climbing path": b"path,caption\n../secret.png,a\n",
    "a climbing path of Windows": b"path,caption\n..\\secret.png,a\n",
    "a ragged line": b"path,caption\n0.png,a,b\n",
    "empty": b"",
    "a page": b"<!DOCTYPE html>\n<html></html>",
    "a pickle": pickle.dumps(Canary()),
    "thousands of columns": b"," * 100_000 + b"\n",
}


@pytest.mark.parametrize("name", CSVS)
@pytest.mark.parametrize("form", [CaptionsCsv, LabelsCsv])
def test_a_list_that_cannot_be_trusted_is_refused_in_one_line(form, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = CSVS[name].replace(b"caption", b"label") if form is LabelsCsv else CSVS[name]
    path = listed(tmp_path, text)
    with pytest.raises(UserError, match=r"list.csv: ") as caught:
        list(form(path).samples(None, Counter()))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 3_000
    assert not Path("EXECUTED").exists()


def test_a_line_without_end_is_not_read_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(listed_files, "_LONGEST_LINE", 1_000)
    path = listed(tmp_path, f"path,caption\n0.png,a\n1.png,{'x' * 2_000}\n")
    with pytest.raises(UserError, match=r"cannot be read after line 2 \(a line of more than 1,000 characters\)"):
        list(CaptionsCsv(path).samples())


def test_names_without_end_and_links_in_a_circle_are_files_that_are_not_there(tmp_path):
    (tmp_path / "circle.png").symlink_to("circle.png")
    listed(tmp_path, f"path,caption\ncircle.png,a\n{'x' * 5_000}.png,b\n0.png,c\nnone.png,d\n/dev/zero,e\n")
    stream = CaptionedImages(path=tmp_path).read()
    assert [row["caption"] for row in stream] == ["c"]
    assert stream.ledger["reasons"] == {"no such file": 3, "cannot be opened": 1}
