import numpy as np
import pytest
from kedro.io import DatasetError

from retrieval_vs_diffusion.catalog.search_datasets import EmbeddingsDataset, VectorIndexDataset
from retrieval_vs_diffusion.models.vector_index import Embeddings, VectorIndex, build_index

VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)


def test_embeddings_come_back_with_the_name_of_their_model(tmp_path):
    dataset = EmbeddingsDataset(filepath=str(tmp_path / "embeddings"))
    assert not dataset.exists()
    dataset.save(Embeddings(VECTORS, "toy_clip", 1.5))
    assert dataset.exists()
    again = dataset.load()
    assert np.array_equal(again.vectors, VECTORS)
    assert (again.clip_name, again.seconds) == ("toy_clip", 1.5)
    assert isinstance(again.vectors, np.memmap)  # a large pool's are not read at once


def test_embeddings_that_were_saved_without_their_time_can_be_read(tmp_path):
    dataset = EmbeddingsDataset(filepath=str(tmp_path / "embeddings"))
    dataset.save(Embeddings(VECTORS, "toy_clip", 1.5))
    (tmp_path / "embeddings" / "about.json").write_text('{"clip_name": "toy_clip"}')
    assert dataset.load().seconds == 0.0


def test_an_index_finds_the_same_after_saving(tmp_path):
    dataset = VectorIndexDataset(filepath=str(tmp_path / "index"))
    assert not dataset.exists()
    dataset.save(build_index(Embeddings(VECTORS, "toy_clip")))
    assert dataset.exists()
    similarities, rows = dataset.load().search(np.array([[0.0, 1.0]]), 3)
    assert rows.tolist() == [[1, 2, 0]]
    assert similarities[0] == pytest.approx([1.0, 0.8, 0.0])
    assert dataset.load().clip_name == "toy_clip"


def test_an_index_can_be_built_from_embeddings_on_disk(tmp_path):
    dataset = EmbeddingsDataset(filepath=str(tmp_path / "embeddings"))
    dataset.save(Embeddings(VECTORS, "toy_clip"))
    assert len(build_index(dataset.load())) == 3


def test_a_failed_save_leaves_the_old_ones_whole(tmp_path):
    embeddings = EmbeddingsDataset(filepath=str(tmp_path / "embeddings"))
    embeddings.save(Embeddings(VECTORS, "toy_clip"))
    unwritable = Embeddings(VECTORS[:1], "toy_clip")
    object.__setattr__(unwritable, "clip_name", object())  # fails after the vectors are written
    with pytest.raises(DatasetError, match="not JSON serializable"):
        embeddings.save(unwritable)
    assert np.array_equal(embeddings.load().vectors, VECTORS)

    index = VectorIndexDataset(filepath=str(tmp_path / "index"))
    index.save(build_index(Embeddings(VECTORS, "toy_clip")))
    with pytest.raises(DatasetError, match="Failed while saving"):
        index.save(VectorIndex(object(), "toy_clip"))
    assert len(index.load()) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["embeddings", "index"]


@pytest.mark.parametrize("kind", [EmbeddingsDataset, VectorIndexDataset])
def test_what_is_not_there_is_a_dataset_error(tmp_path, kind):
    with pytest.raises(DatasetError, match=r"about\.json"):
        kind(filepath=str(tmp_path / "nothing")).load()
