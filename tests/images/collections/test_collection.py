import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.collection import build_collection
from retrieval_vs_diffusion.images.formats.class_folders import ClassFolders
from retrieval_vs_diffusion.images.formats.hugging_face import HuggingFace
from retrieval_vs_diffusion.images.formats.parquet import Parquet
from retrieval_vs_diffusion.images.formats.web_dataset import WebDataset
from tests.images.made_collections import encoded, tree, write_parquet


def build(path, specification="auto", kind="target", **columns):
    return build_collection(str(path), specification, kind, columns, f"{kind}.reader")


def test_the_format_is_known_by_names_or_told(tmp_path):
    tree(tmp_path)
    assert build(tmp_path) == build(tmp_path, "class_folders", label_column=None) == ClassFolders(tmp_path)
    told = build(tmp_path, {"type": "web_dataset", "label_key": "class"}, kind="pool")
    assert told == WebDataset(tmp_path, label_key="class")


def test_tables_must_have_what_is_needed_of_them(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", {"image": [encoded(0)], "x": ["a"]})
    assert build(path, label_column="x") == Parquet(path, label_column="x", needs="label")
    assert build(path, kind="pool") == Parquet(path, needs="caption")
    assert build(path, {"type": "auto", "caption_column": "x"}, "pool") == Parquet(
        path, caption_column="x", needs="caption"
    )


def test_a_hub_name_is_no_path():
    assert build("someone/cats", "hugging_face") == HuggingFace(name="someone/cats", needs="label")


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert build(tree(tmp_path / "set") and "~/set") == ClassFolders(tmp_path / "set")


@pytest.mark.parametrize(
    ("specification", "columns", "message"),
    [
        ("folders", {}, r'target.reader.format.type: found "folders"; did you mean'),
        ("class_folders", {"label_column": "x"}, r"target.reader.format.label_column: there is no such key here"),
        ({"type": "class_folders", "classes": 3}, {}, r"target.reader.format.classes: there is no such key here"),
    ],
)
def test_what_a_format_does_not_know_is_refused(tmp_path, specification, columns, message):
    with pytest.raises(UserError, match=message):
        build(tree(tmp_path), specification, **columns)


def test_nothing_there_and_links_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"pool.reader.path: there is nothing at .*none; a file or folder will do"):
        build(tmp_path / "none", "web_dataset", "pool")
    write_parquet(tmp_path / "a.parquet", {"url": ["https://x"], "caption": ["a"]})
    with pytest.raises(UserError, match=r"pool.reader.type: linked_images reads link collections"):
        build(tmp_path, kind="pool")
