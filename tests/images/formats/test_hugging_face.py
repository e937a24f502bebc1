import logging

import datasets
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, Value

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.formats.hugging_face import HuggingFace
from tests.images.made_collections import encoded

datasets.disable_progress_bars()


def dataset(first: int, labels: list[int], **columns) -> Dataset:
    features = Features({"image": Image(), "label": ClassLabel(names=["cat", "dog"]), "caption": Value("string")})
    images = [{"bytes": encoded(first + number), "path": None} for number in range(len(labels))]
    captions = [f"caption {first + number}" for number in range(len(labels))]
    made = Dataset.from_dict({"image": images, "label": labels, "caption": captions}, features=features)
    for name, values in columns.items():
        made = made.add_column(name, values)
    return made


@pytest.fixture
def split(tmp_path):
    splits = {"train": dataset(0, [0, 1, -1]), "validation": dataset(10, [1]), "extra": dataset(20, [0])}
    DatasetDict(splits).save_to_disk(tmp_path / "set")
    return tmp_path / "set"


def test_splits_are_parts_and_integers_have_names(split, caplog):
    with caplog.at_level(logging.WARNING):
        samples = list(HuggingFace(path=split, needs="label").samples())
    assert [(s.key, s.label, s.part, s.caption) for s in samples] == [
        ("train/0", "cat", "train", "caption 0"),
        ("train/1", "dog", "train", "caption 1"),
        ("train/2", None, "train", "caption 2"),
        ("validation/0", "dog", "val", "caption 10"),
    ]
    assert [s.image for s in samples] == [encoded(0), encoded(1), encoded(2), encoded(10)]
    assert "splits other than train, val, test are left out: extra" in caplog.text
    entries = list(HuggingFace(path=split).entries())
    assert [(e.key, e.label, e.image) for e in entries] == [(s.key, s.label, None) for s in samples]
    assert HuggingFace(path=split).reads == (split,)


def test_only_wanted_rows_are_read_in_whatever_batches(tmp_path):
    dataset(0, [0] * 70).save_to_disk(tmp_path / "set")
    wanted = {"all/2", "all/33", "all/69"}
    samples = list(HuggingFace(path=tmp_path / "set").samples(wanted))
    assert [(s.key, s.part, s.image) for s in samples] == [(f"all/{n}", None, encoded(n)) for n in (2, 33, 69)]
    everything = list(HuggingFace(path=tmp_path / "set").samples())
    assert [(s.key, s.caption) for s in everything] == [(f"all/{n}", f"caption {n}") for n in range(70)]


def test_columns_that_cannot_be_told_are_listed(tmp_path):
    two = dataset(0, [0]).add_column("text", ["x"])
    two.save_to_disk(tmp_path / "set")
    message = (
        r"set, split all: several columns may be the caption; name it as caption_column; .*: image, label, caption"
    )
    with pytest.raises(UserError, match=message):
        list(HuggingFace(path=tmp_path / "set", needs="caption").samples())
    (sample,) = HuggingFace(path=tmp_path / "set", needs="caption", caption_column="text").samples()
    assert sample.caption == "x"


def test_a_split_column_is_used(tmp_path):
    dataset(0, [0, 1], split=["train", "test"]).save_to_disk(tmp_path / "set")
    assert [s.part for s in HuggingFace(path=tmp_path / "set", needs="label").entries()] == ["train", "test"]


def test_a_table_without_images_is_refused(tmp_path):
    dataset(0, [0]).remove_columns("image").save_to_disk(tmp_path / "set")
    with pytest.raises(UserError, match=r"found no column for the image"):
        list(HuggingFace(path=tmp_path / "set").samples())


def test_what_is_no_saved_data_set_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"is no data set that save_to_disk wrote \(") as caught:
        list(HuggingFace(path=tmp_path).samples())
    assert "\n" not in str(caught.value)


def test_without_network_it_is_said_how_to_bring_a_data_set(monkeypatch):
    def offline(name, config):
        raise ConnectionError(f"Couldn't reach '{name}' on\nthe Hub (LocalEntryNotFoundError)")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(UserError) as caught:
        list(HuggingFace(name="someone/cats").samples())
    assert str(caught.value) == (
        '"someone/cats" is neither a folder nor a data set that the Hugging Face hub gives (Couldn\'t reach '
        "'someone/cats' on the Hub (LocalEntryNotFoundError)); without network, bring it: `hf download someone/cats "
        "--repo-type dataset --local-dir FOLDER`, and give the folder"
    )


@pytest.mark.parametrize("settings", [{}, {"path": "x", "name": "y"}])
def test_path_and_name_exclude_each_other(settings):
    with pytest.raises(UserError, match=r"give a path, or the name of a data set on the hub, not both"):
        list(HuggingFace(**settings).samples())
