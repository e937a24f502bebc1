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


@pytest.mark.parametrize("images", [0, 1])
def test_a_class_may_be_called_train(tmp_path, images):
    write(tree(tmp_path, 1, classes=("bus", "car")), {"train/0.png" if images else "train/notes.txt": encoded(5)})
    expected = {"bus/0.png": ("bus", None), "car/0.png": ("car", None), "train/0.png": ("train", None)}
    assert listed(tmp_path) == dict(list(expected.items())[: 2 + images])


@pytest.mark.parametrize("train", [("train/steam", "train/diesel"), ("train", "test")])
def test_whether_train_is_a_class_is_asked_where_it_cannot_be_told(tmp_path, train):
    tree(tmp_path, 1, classes=("bus", "car", *train))
    with pytest.raises(
        UserError, match=r"is train a class or a part\? Beside it bus, car hold images; call the folder"
    ):
        listed(tmp_path)


def test_a_lone_train_of_classes_is_a_part(tmp_path):
    write(tree(tmp_path, train=1), {"notes/deeper/x.png": encoded(8)})
    assert listed(tmp_path) == {"train/cat/0.png": ("cat", "train"), "train/dog/0.png": ("dog", "train")}


def test_what_is_left_out_of_all_classes_is_told_once(tmp_path, caplog):
    tree(tmp_path, 1)
    write(tmp_path, {"cat/a.HEIC": b"", "dog/b.heic": b"", "dog/c.txt": "", "dog/d.jfif": encoded(9, "JPEG")})
    (tmp_path / "dog/link.png").symlink_to("/etc/hostname")
    (tmp_path / "dog/sibling.png").symlink_to("../cat/0.png")
    with caplog.at_level(logging.WARNING):
        assert {"dog/d.jfif", "dog/sibling.png"} < listed(tmp_path).keys()
        list(ClassFolders(tmp_path).samples())
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: left out: 2 .heic, 1 links to files outside of this folder; copy them, or list them in a CSV"
    ]


def test_links_out_alone_are_refused_with_what_would_do(tmp_path):
    tree(tmp_path / "blobs", 1)
    for name in ("cat", "dog"):
        (tmp_path / "snapshot" / name).mkdir(parents=True)
        (tmp_path / "snapshot" / name / "0.png").symlink_to(tmp_path / "blobs" / name / "0.png")
    with pytest.raises(UserError, match=r"found no image in its folders; left out: 2 links to files outside of this"):
        listed(tmp_path / "snapshot")


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
