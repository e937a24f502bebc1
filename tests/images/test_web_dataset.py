import json
import tarfile

import numpy as np
import pytest
import webdataset

from retrieval_vs_diffusion.images.web_dataset import write_shards
from tests.images.hostile import CAPTIONS, CLASSES, hostile_set


@pytest.fixture
def shards(tmp_path):
    (tmp_path / "shards").mkdir()
    return write_shards(hostile_set(), tmp_path / "shards")


def members(shard):
    with tarfile.open(shard) as tar:
        return tar.getmembers()


def test_the_library_reads_every_sample(shards):
    samples = list(webdataset.WebDataset([str(shard) for shard in shards], shardshuffle=False))
    images = {image.key: image for image in hostile_set().images()}
    assert {sample["__key__"] for sample in samples} == set(images)
    for sample in samples:
        image = images[sample["__key__"]]
        assert sample[image.extension] == image.data
        assert int(sample["cls"]) == image.label
        assert sample["txt"].decode() == image.text
        about = json.loads(sample["json"])
        assert about["class"] == CLASSES[image.label]
        assert about["origin"] == image.origin
        assert about["image_id"] == image.provenance["image_id"]
    texts = sorted(sample["txt"].decode() for sample in samples)
    assert texts == sorted([*(caption or "" for caption in CAPTIONS), *["=a prompt"] * 5])


def test_a_sample_holds_no_pickle_and_no_name_from_outside(shards):
    names = [member.name for member in members(shards[0])]
    assert len(names) == 15 * 4
    assert {name.partition(".")[2] for name in names} == {"png", "jpg", "cls", "txt", "json"}
    assert all(name.split(".")[0].replace("-", "").isalnum() for name in names)


def test_the_same_set_gives_the_same_bytes_whenever_it_is_written(shards, tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    (tmp_path / "again").mkdir()
    again = write_shards(hostile_set(), tmp_path / "again")
    assert [shard.read_bytes() for shard in shards] == [shard.read_bytes() for shard in again]
    assert {(each.mtime, each.uid, each.gid, each.uname) for each in members(shards[0])} == {(0, 0, 0, "nobody")}


def test_samples_are_shuffled_by_the_seed(shards, tmp_path):
    def keys(shard):
        return [member.name.split(".")[0] for member in members(shard)][::4]

    in_order = [image.key for image in hostile_set().images()]
    assert keys(shards[0]) == [in_order[position] for position in np.random.default_rng(0).permutation(15)]
    (other,) = write_shards(hostile_set(shuffle_seed=1), tmp_path)
    assert keys(other) != keys(shards[0])
    assert sorted(keys(other)) == sorted(in_order)


def test_a_shard_is_ended_when_it_is_large_enough(tmp_path):
    shards = write_shards(hostile_set(), tmp_path, shard_bytes=1)
    assert [shard.name for shard in shards] == [f"train-{number:05d}.tar" for number in range(15)]  # one image each
    assert sorted(path.name for path in tmp_path.iterdir()) == [shard.name for shard in shards]
