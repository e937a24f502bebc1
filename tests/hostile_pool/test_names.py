"""Names of classes, files and folders that are no UTF-8, steer a terminal, or lead in a circle; lists of odd bytes."""

from __future__ import annotations

import logging
import os
import pickle
from pathlib import Path

import pytest
from kedro.io import DatasetError

from retrieval_vs_diffusion.catalog.pool_datasets import TakedownDataset
from retrieval_vs_diffusion.errors import UserError, find_user_error
from retrieval_vs_diffusion.images.formats.class_folders import ClassFolders
from retrieval_vs_diffusion.images.formats.image_folder import ImageFolder
from retrieval_vs_diffusion.images.formats.img2dataset_files import Img2datasetFiles
from retrieval_vs_diffusion.images.image_files import image_files
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.readers.captioned_images import CaptionedImages
from retrieval_vs_diffusion.images.readers.labelled_images import LabelledImages
from retrieval_vs_diffusion.strategies.class_table import read_class_table
from tests.hostile_pool.bad_pictures import Canary
from tests.images.made_collections import encoded, tree, write, write_tar

LATIN = os.fsdecode(b"caf\xe9")


def test_names_of_classes_in_another_encoding_become_text(tmp_path):
    tree(tmp_path, classes=(LATIN, "\x1b[31mred", "a\nb", "<b>"))
    target = LabelledImages(path=tmp_path, val=1, test=1).read()
    assert target.class_names == ("[31mred", "<b>", "a b", "caf\\udce9")
    rows = [row for part in (target.test, target.val, target.reservoir) for row in part]
    assert len(ImageTable.from_rows(rows)) == 16  # 4 classes of 4
    assert {row["image_id"].partition("/")[0]: row["label"] for row in rows}["caf\\udce9"] == 3


def test_two_names_that_are_one_as_text_are_told(tmp_path):
    tree(tmp_path, classes=("dog", "dog\x01"))
    with pytest.raises(UserError, match=r'two classes of one name: "dog" and "dog\\x01" are both "dog"'):
        LabelledImages(path=tmp_path, val=1, test=1).read()


@pytest.mark.parametrize("label", ["x" * 1_000_000, "word " * 1_000])
def test_a_whole_text_is_no_label(label, tmp_path):
    members = [(f"{number}.{kind}", content) for number in range(8) for kind, content in _sample(number, label)]
    write_tar(tmp_path / "0.tar", members)
    with pytest.raises(UserError, match=r"a label of [0-9,]+ characters, .* is no name of a class") as caught:
        LabelledImages(path=tmp_path, val=1, test=1).read()
    assert len(str(caught.value)) < 300


def _sample(number: int, label: str) -> list:
    return [("png", encoded(number)), ("cls", label if number % 2 else "dog")]


def test_names_of_files_that_are_no_utf8_are_read_and_written_out(tmp_path):
    write(tmp_path, {f"{LATIN}.png": encoded(0), "\x1b[2J.png": encoded(1), "a\n.png": encoded(2)})
    rows = list(CaptionedImages(path=tmp_path).read())
    assert [row["image_id"] for row in rows] == ["\x1b[2J.png", "a\n.png", "caf\\udce9.png"]
    ImageTable.from_rows(rows)


def test_what_is_told_steers_no_terminal(tmp_path, caplog):
    tree(tmp_path, classes=("cat", "dog"))
    write(tmp_path, {"\x1b[2J.txt": "", "a\nError: b.txt": "", f"{LATIN}.txt": ""})
    with caplog.at_level(logging.WARNING):
        list(ClassFolders(tmp_path).entries())
    assert r"\x1b[2J.txt, a Error: b.txt, caf\udce9.txt" in caplog.text
    with pytest.raises(UserError) as caught:
        read_class_table(Path("\x1b[2J\n"))
    assert not {"\x1b", "\n"} & set(str(caught.value))


def test_links_in_a_circle_are_passed_over(tmp_path):
    write(tmp_path, {"cat/a.png": encoded(0)})
    (tmp_path / "cat/self.png").symlink_to("self.png")
    (tmp_path / "cat/one.png").symlink_to("two.png")
    (tmp_path / "cat/two.png").symlink_to("one.png")
    (tmp_path / "cat/up").symlink_to("..", target_is_directory=True)
    (tmp_path / "cat/zero.png").symlink_to("/dev/zero")
    assert [path.as_posix() for path in image_files(tmp_path)] == ["cat/a.png"]


def test_a_folder_too_deep_to_be_named_is_told_and_the_rest_is_read(tmp_path, caplog, monkeypatch):
    write(tmp_path, {"pool/a.png": encoded(0)})
    monkeypatch.chdir(tmp_path / "pool")
    for _ in range(20):  # 20 names of 250 letters: a path has 4,096 at most
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
    Path("b.png").write_bytes(encoded(1))
    try:
        with caplog.at_level(logging.WARNING):
            assert [path.as_posix() for path in image_files(tmp_path / "pool")] == ["a.png"]
        assert "left out, for it cannot be listed: File name too long" in caplog.text
    finally:
        Path("b.png").unlink()
        for _ in range(20):
            os.chdir("..")
            os.rmdir("d" * 250)


@pytest.mark.parametrize("form", [ClassFolders, ImageFolder, Img2datasetFiles])
def test_a_file_that_should_be_a_folder_is_told(form, tmp_path):
    write(tmp_path, {"a.csv": "x"})
    with pytest.raises(UserError, match=r"a.csv: .*folder"):
        list(form(tmp_path / "a.csv").entries())


TAKEDOWNS = {
    "latin-1": "https://x.example/\xe9".encode("latin-1"),
    "utf-16": "https://x.example/".encode("utf-16"),
    "utf-16 without a mark": "https://x.example/".encode("utf-16-le"),
    "a pickle": pickle.dumps(Canary()),
    "zeros": bytes(1000),
}


@pytest.mark.parametrize("name", TAKEDOWNS)
def test_a_takedown_list_that_would_take_down_nothing_is_refused(name, tmp_path):
    write(tmp_path, {"takedown.txt": TAKEDOWNS[name]})
    with pytest.raises(DatasetError) as caught:
        TakedownDataset(filepath=str(tmp_path / "takedown.txt")).load()
    told = str(find_user_error(caught.value))
    assert told.startswith("takedown: ")
    assert told.endswith("; a text file in UTF-8 will do")


def test_a_takedown_list_of_odd_lines_is_read(tmp_path):
    text = "\ufeff# list\r\n a/1.png \r\n\r\n<script>\x1b\nx" + "y" * 1_000_000 + "\n\u202ea\n"
    write(tmp_path, {"takedown.txt": text})
    listed = TakedownDataset(filepath=str(tmp_path / "takedown.txt")).load()
    assert listed == {"a/1.png", "<script>\x1b", "x" + "y" * 1_000_000, "\u202ea"}


@pytest.mark.parametrize(
    "table",
    [
        b"class\ncaf\xe9",
        "class\na".encode("utf-16"),
        b'class\n"a',
        b"class,class\na,b",
        pickle.dumps(Canary()),
        bytes(99),
    ],
    ids=range(6),
)
def test_a_class_table_of_odd_bytes_is_refused_in_one_line(table, tmp_path):
    write(tmp_path, {"classes.csv": table})
    with pytest.raises(UserError, match=r"^classes.path: ") as caught:
        read_class_table(tmp_path / "classes.csv")
    assert "\n" not in str(caught.value)
