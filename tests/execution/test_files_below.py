"""Which files of what a user brings count, and which of them count whole."""

import pytest

from retrieval_vs_diffusion.execution import digest
from retrieval_vs_diffusion.execution.digest import digest_of_collection
from tests.images.made_collections import write


@pytest.mark.parametrize(("name", "counts"), [("labels.csv", True), ("deep/labels.TSV", True), ("labels.txt", False)])
@pytest.mark.parametrize("limits", [{"_LARGE": 5}, {"_MANY": 1}], ids=["many bytes", "many files"])
def test_of_a_large_collection_a_label_in_a_list_counts(tmp_path, monkeypatch, limits, name, counts):
    for limit, value in {**limits, "_END": 1}.items():
        monkeypatch.setattr(digest, limit, value)
    write(tmp_path, {"x": "123456", name: "aacaa"})
    first = digest_of_collection([tmp_path])
    write(tmp_path, {name: "aadaa"})
    assert (digest_of_collection([tmp_path]) != first) == counts


def test_of_a_large_one_a_file_that_is_named_counts_whole_as_long_as_they_are_not_large_together(tmp_path, monkeypatch):
    for name, value in {"_LARGE": 7, "_END": 1}.items():
        monkeypatch.setattr(digest, name, value)
    files = [tmp_path / name for name in "ab"]

    def digest_of(*contents: bytes) -> str:
        for file, content in zip(files, contents, strict=True):
            file.write_bytes(content)
        return digest_of_collection(files)

    first = digest_of(b"12345", b"12345")
    assert digest_of(b"12x45", b"12345") != first
    assert digest_of(b"12345", b"12x45") == first


def test_class_folders_that_are_links_are_followed_and_no_others(tmp_path):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "set"
    for place in (elsewhere / "cat", elsewhere / "dog", elsewhere / "deep", folder / "train", folder / "cow" / "a"):
        place.mkdir(parents=True)
        (place / "0.png").write_bytes(b"1")
    (folder / "cat").symlink_to(elsewhere / "cat")
    (folder / "train" / "dog").symlink_to(elsewhere / "dog")
    (folder / "cow" / "a" / "deep").symlink_to(elsewhere / "deep")
    (folder / "up").symlink_to(tmp_path)
    (folder / "train" / "round").symlink_to(folder)
    digests = [digest_of_collection([folder])]
    for name, counts in {"cat": True, "dog": True, "deep": False}.items():
        (elsewhere / name / "0.png").write_bytes(b"2")
        digests.append(digest_of_collection([folder]))
        assert (digests[-1] != digests[-2]) == counts, name
    (folder / "cat").rename(folder / "ape")  # another class
    assert digest_of_collection([folder]) != digests[-1]


def test_a_name_that_is_too_long_to_be_one_has_no_files(tmp_path):
    assert digest_of_collection([tmp_path / ("x" * 300)]) == digest_of_collection([])
