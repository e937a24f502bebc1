import csv

import pandas as pd
import pytest
from torchvision.datasets import ImageFolder

from retrieval_vs_diffusion.images.image_folder import COLUMNS, read_manifest, write_image_folder
from tests.images.hostile import CAPTIONS, CLASSES, hostile_set


@pytest.fixture
def folder(tmp_path):
    inner = tmp_path / "one/two/three"
    inner.mkdir(parents=True)
    write_image_folder(hostile_set(), inner)
    return inner


def test_nothing_is_written_outside_the_folder(folder, tmp_path):
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert [path.name for path in (tmp_path / "one/two").iterdir()] == ["three"]
    assert sorted(path.name for path in folder.iterdir()) == ["images", "manifest.csv"]
    names = sorted(path.name for path in (folder / "images").iterdir())
    assert names == sorted(["___up", "_cmd_' _C calc'_A1".replace("'", "_"), "dog", "DOG_3", "class"])


def test_the_files_hold_the_bytes_of_the_image_table(folder):
    images = list(hostile_set().images())
    files = read_manifest(folder / "manifest.csv")["file"]
    assert [(folder / file).read_bytes() for file in files] == [image.data for image in images]


def test_torchvision_reads_it_with_a_folder_a_class(folder):
    dataset = ImageFolder(folder / "images")
    assert len(dataset) == 15
    assert len(dataset.classes) == len(CLASSES)
    assert sorted({image.size for image, _ in dataset}) == [(8, 8), (80, 80)]


def test_no_cell_of_the_manifest_is_a_formula(folder):
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        csv.field_size_limit(1_000_000)
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    risky = [cell for row in rows for cell in row if cell[:1] in tuple("=+-@\t\r\n") and cell]
    assert set(risky) == {"-0.5"}  # a number


def test_the_manifest_comes_back_with_every_text_as_it_was(folder):
    table = read_manifest(folder / "manifest.csv")
    assert table["caption"].tolist() == [caption or "" for caption in CAPTIONS] + [""] * 5
    assert table["class"].tolist() == [CLASSES[label] for label in [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0, 1, 2, 3, 4]]
    assert table["label"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0, 1, 2, 3, 4]
    assert table["image_id"].tolist() == [f"../../{number}\0" for number in range(15)]
    added = table[table["origin"] == "added"]
    assert set(added["seed"]) == {2**63 - 1}  # not rounded to a float's 53 bits
    assert set(added["similarity"]) == {-0.5}
    assert table["seed"][:10].isna().all()
    assert table["similarity"][:10].isna().all()


def test_pandas_opens_the_manifest_without_our_help(folder):
    assert len(pd.read_csv(folder / "manifest.csv", keep_default_na=False)) == 15
