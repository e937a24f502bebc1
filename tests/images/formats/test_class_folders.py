import logging

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.formats.class_folders import ClassFolders
from retrieval_vs_diffusion.images.image_files import read_image
from retrieval_vs_diffusion.parts import build_part
from tests.images.made_collections import encoded, tree, write


def listed(folder) -> dict[str, tuple]:
    return {entry.key: (entry.label, entry.part) for entry in ClassFolders(folder).entries()}


def test_folders_are_classes_and_images_may_lie_deeper(tmp_path):
    write(tmp_path, {"cat/a.png": encoded(0), "cat/more/b.JPG": encoded(1), "dog/c.png": encoded(2)})
    assert listed(tmp_path) == {
        "cat/a.png": ("cat", None),
        "cat/more/b.JPG": ("cat", None),
        "dog/c.png": ("dog", None),
    }


@pytest.mark.parametrize(
    ("train", "val", "test"), [("train", "val", "test"), ("Training", "validation", "testing"), ("train", "valid", "x")]
)
def test_parts_may_stand_above_the_classes(tmp_path, train, val, test):
    tree(tmp_path, classes=("cat",), **{train: 2, val: 1, test: 1})
    expected = {
        f"{train}/cat/0.png": ("cat", "train"),
        f"{train}/cat/1.png": ("cat", "train"),
        f"{val}/cat/0.png": ("cat", "val"),
    }
    if test != "x":
        expected[f"{test}/cat/0.png"] = ("cat", "test")
    assert listed(tmp_path) == expected


def test_a_class_may_be_called_test_where_nothing_is_called_train(tmp_path):
    tree(tmp_path, 1, classes=("cat", "test"))
    assert listed(tmp_path) == {"cat/0.png": ("cat", None), "test/0.png": ("test", None)}


def test_what_lies_beside_is_told_in_one_warning(tmp_path, caplog):
    tree(tmp_path, classes=("cat",), train=1, test=1)
    write(tmp_path, {"readme.md": "", "train/loose.png": encoded(9), "notes/x.png": encoded(8), ".hidden": ""})
    with caplog.at_level(logging.WARNING):
        assert len(listed(tmp_path)) == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: left out beside train, val and test: loose.png, notes/, readme.md"
    ]


def test_many_names_are_counted_and_classes_without_images_are_told(tmp_path, caplog):
    write(tree(tmp_path, 1), {f"{number}.txt": "" for number in range(6)} | {"empty/readme.txt": ""})
    assert len(listed(tmp_path)) == 2
    assert "the classes' folders: 0.txt, 1.txt, 2.txt and 3 more" in caplog.text
    assert "left out, for they hold no image: empty" in caplog.text


def test_samples_are_files_of_the_wanted_keys(tmp_path):
    tree(tmp_path, 2)
    (only,) = ClassFolders(tmp_path).samples({"dog/1.png"})
    assert (only.key, only.label, only.source) == ("dog/1.png", "dog", str(tmp_path / "dog/1.png"))
    assert read_image(only.image).shape == (10, 12, 3)
    assert len(list(ClassFolders(tmp_path).samples())) == 4


def test_a_linked_class_folder_is_followed(tmp_path):
    tree(tmp_path / "store", 1)
    (tmp_path / "subset").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "subset" / name).symlink_to(tmp_path / "store" / name)
    assert len(listed(tmp_path / "subset")) == 2
    assert all(read_image(sample.image).size for sample in ClassFolders(tmp_path / "subset").samples())


def test_a_folder_without_folders_is_refused(tmp_path):
    write(tmp_path, {"a.png": encoded(0)})
    with pytest.raises(UserError, match=r"found no folder in it; a folder for each class will do"):
        listed(tmp_path)


def test_it_is_a_part_and_reads_its_folder(tmp_path):
    built = build_part("retrieval_vs_diffusion.images.formats", {"type": "class_folders", "path": str(tmp_path)}, "x")
    assert built.reads == (tmp_path,)
