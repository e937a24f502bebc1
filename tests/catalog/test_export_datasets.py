import pytest
from kedro.io import DatasetError

from retrieval_vs_diffusion.catalog.export_datasets import TrainingSetDataset, WholeTextDataset
from tests.images.hostile import hostile_set


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_training_set_is_a_folder_with_images_shards_and_manifest(tmp_path):
    dataset = TrainingSetDataset(filepath=str(tmp_path / "set"))
    assert not dataset.exists()
    dataset.save(hostile_set())
    assert dataset.exists()
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["images", "manifest.csv", "shards"]
    table = dataset.load()
    images = {name for name in files(tmp_path / "set") if name.startswith("images/")}
    assert set(table["file"]) == images
    assert len(images) == 15  # 10 originals, 5 added
    assert [path.name for path in (tmp_path / "set/shards").iterdir()] == ["train-00000.tar"]


def test_a_failed_save_leaves_the_old_set_whole(tmp_path, monkeypatch):
    dataset = TrainingSetDataset(filepath=str(tmp_path / "set"))
    dataset.save(hostile_set())
    before = {name: (tmp_path / "set" / name).read_bytes() for name in files(tmp_path / "set")}

    def full_disk(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("retrieval_vs_diffusion.images.web_dataset.write_shards", full_disk)
    with pytest.raises(DatasetError, match="no space left on device"):
        dataset.save(hostile_set(shuffle_seed=1))
    assert {name: (tmp_path / "set" / name).read_bytes() for name in files(tmp_path / "set")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_text_comes_back_as_it_was(tmp_path):
    dataset = WholeTextDataset(filepath=str(tmp_path / "README.md"))
    assert not dataset.exists()
    dataset.save("a\n# é\n")
    assert dataset.exists()
    assert dataset.load() == "a\n# é\n"
