import json
import tracemalloc

import faiss
import numpy as np
import pytest
from kedro.io import DatasetError

from retrieval_vs_diffusion.catalog.search_datasets import EmbeddingsDataset, VectorIndexDataset
from retrieval_vs_diffusion.errors import UserError, find_user_error
from retrieval_vs_diffusion.models.embeddings import EmbeddingStream, embeddings_of_files
from retrieval_vs_diffusion.models.vector_index import Embeddings, IndexSettings, VectorIndex, build_index
from tests.models.clustered import clustered

VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
MANY = clustered(600)


@pytest.fixture
def embeddings(tmp_path):
    return EmbeddingsDataset(filepath=str(tmp_path / "embeddings"))


@pytest.fixture
def index(tmp_path):
    return VectorIndexDataset(filepath=str(tmp_path / "index"))


@pytest.fixture
def files(tmp_path):
    """What clip-retrieval leaves behind: half precision, in several files."""
    folder = tmp_path / "elsewhere" / "img_emb"
    folder.mkdir(parents=True)
    for number, part in enumerate(np.split(MANY, [250])):
        np.save(folder / f"img_emb_{number}.npy", part.astype(np.float16))
    return sorted(folder.iterdir())


def user_error(action) -> str:
    with pytest.raises((DatasetError, UserError)) as raised:
        action()
    message = str(find_user_error(raised.value))
    assert "\n" not in message
    return message


def test_embeddings_come_back_with_the_name_of_their_model(embeddings):
    assert not embeddings.exists()
    embeddings.save(Embeddings(VECTORS, "toy_clip", 1.5))
    assert embeddings.exists()
    again = embeddings.load()
    assert np.array_equal(again.vectors, VECTORS)
    assert (again.clip_name, again.seconds, again.broken) == ("toy_clip", 1.5, 0)
    assert isinstance(again.vectors, np.memmap)  # a large pool's are not read at once


def test_embeddings_that_were_saved_without_their_time_can_be_read(embeddings, tmp_path):
    embeddings.save(Embeddings(VECTORS, "toy_clip", 1.5))
    (tmp_path / "embeddings" / "about.json").write_text('{"clip_name": "toy_clip"}')
    assert (embeddings.load().seconds, embeddings.load().broken) == (0.0, 0)


def test_a_stream_is_written_as_it_is_made(embeddings):
    broken = VECTORS.copy()
    broken[1] = np.nan
    embeddings.save(EmbeddingStream(iter([VECTORS[:2], VECTORS[2:], broken]), 6, "toy_clip"))
    again = embeddings.load()
    assert again.vectors.tolist() == [*VECTORS.tolist(), VECTORS[0].tolist(), [0, 0], VECTORS[2].tolist()]
    assert (again.vectors.dtype, again.broken, again.clip_name) == (np.float32, 1, "toy_clip")
    assert again.seconds > 0


def test_a_stream_is_never_whole_in_memory(embeddings):
    def make():
        for _ in range(50):
            yield np.ones((1000, 250), np.float32) / np.float32(250**0.5)  # 1 MB

    tracemalloc.start()
    try:
        embeddings.save(EmbeddingStream(make(), 50_000, "toy_clip"))
        assert tracemalloc.get_traced_memory()[1] < 10e6  # of 50 MB
    finally:
        tracemalloc.stop()
    assert embeddings.load().vectors.shape == (50_000, 250)


@pytest.mark.parametrize(
    ("batches", "total", "said"),
    [
        ([VECTORS], 4, "4 embeddings were announced, 3 came"),
        ([VECTORS, VECTORS], 4, "4 embeddings were announced, 6 came"),
        ([VECTORS, np.ones((1, 3), np.float32)], 4, "a batch has 3 dimensions, the first one had 2"),
    ],
)
def test_a_stream_that_does_not_keep_its_word_leaves_nothing(embeddings, tmp_path, batches, total, said):
    with pytest.raises(DatasetError, match=said):
        embeddings.save(EmbeddingStream(iter(batches), total, "toy_clip"))
    assert list(tmp_path.iterdir()) == []


def test_nothing_can_be_embedded(embeddings):
    embeddings.save(EmbeddingStream([], 0, "toy_clip"))
    assert len(embeddings.load()) == 0
    assert len(build_index(embeddings.load())) == 0


def test_files_of_others_are_named_and_not_copied(embeddings, files, tmp_path):
    embeddings.save(embeddings_of_files(files, "toy_clip"))
    about = json.loads((tmp_path / "embeddings" / "about.json").read_text())
    assert [path.name for path in (tmp_path / "embeddings").iterdir()] == ["about.json"]
    assert about["files"] == [str(file) for file in files]
    again = embeddings.load()
    assert (again.vectors.shape, again.clip_name) == ((600, 16), "toy_clip")
    assert again.rows(np.array([599, 0])) == pytest.approx(MANY[[599, 0]], abs=1e-3)


def test_files_of_others_that_are_broken_gone_or_changed_are_told(embeddings, files):
    part = np.load(files[1])
    part[[3, 9]] = np.nan
    np.save(files[1], part)
    embeddings.save(embeddings_of_files(files, "toy_clip"))
    assert embeddings.load().broken == 2
    np.save(files[1], part[:100])
    message = user_error(embeddings.load)
    assert "about.json: says [600, 16] for the embeddings at" in message
    assert "found [350, 16]: run index_build again" in message
    files[0].unlink()
    assert "img_emb_0.npy: there is no such file" in user_error(embeddings.load)


@pytest.mark.parametrize("settings", [{}, {"factory": "IVF8,SQ8"}, {"factory": "HNSW8"}, {"factory": "PCA8,IVF4,SQ8"}])
def test_an_index_finds_the_same_after_saving(index, settings):
    assert not index.exists()
    built = build_index(Embeddings(MANY, "toy_clip"), IndexSettings(**settings, nprobe=3))
    index.save(built)
    assert index.exists()
    again = index.load()
    for found, expected in zip(again.search(MANY[:9], 4), built.search(MANY[:9], 4), strict=True):
        assert np.array_equal(found, expected)
    assert (again.clip_name, again.described, again.exact) == ("toy_clip", built.described, built.exact)
    assert again.embeddings is None


def test_the_same_embeddings_make_the_same_file(index, tmp_path):
    for name in ("one", "two"):
        index = VectorIndexDataset(filepath=str(tmp_path / name))
        index.save(build_index(Embeddings(MANY, "toy_clip"), IndexSettings(factory="IVF8,SQ8")))
    assert (tmp_path / "one/image.index").read_bytes() == (tmp_path / "two/image.index").read_bytes()


def test_an_index_can_be_built_from_embeddings_on_disk(embeddings):
    embeddings.save(Embeddings(VECTORS, "toy_clip"))
    assert len(build_index(embeddings.load())) == 3


def test_an_index_gives_the_vectors_of_its_embeddings(embeddings, tmp_path):
    embeddings.save(Embeddings(MANY, "toy_clip"))
    index = VectorIndexDataset(filepath=str(tmp_path / "index"), embeddings=str(tmp_path / "embeddings"))
    index.save(build_index(embeddings.load(), IndexSettings(factory="IVF4,SQ4")))
    assert np.array_equal(index.load().vectors(np.array([5, 2])), MANY[[5, 2]])
    embeddings.save(Embeddings(MANY[:500], "toy_clip"))  # the pool was embedded again, and not indexed
    assert "holds 600 vectors, " in user_error(index.load)
    assert f"{tmp_path / 'embeddings' / 'embeddings.npy'} has 500" in user_error(index.load)


def test_an_index_of_others_is_named_and_not_copied(embeddings, files, index, tmp_path):
    made = faiss.index_factory(16, "IVF8,SQ8", faiss.METRIC_INNER_PRODUCT)
    made.train(MANY)
    made.add(MANY)
    path = tmp_path / "elsewhere" / "image.index"
    faiss.write_index(made, str(path))
    embeddings.save(embeddings_of_files(files, "toy_clip"))
    index.save(build_index(embeddings.load(), IndexSettings(path=str(path), nprobe=5)))
    assert [file.name for file in (tmp_path / "index").iterdir()] == ["about.json"]
    again = VectorIndexDataset(filepath=str(tmp_path / "index"), embeddings=str(tmp_path / "embeddings")).load()
    assert again.described == "IVF8,SQ8 (approximate, reads 5 of 8 lists)"
    assert (again.search(MANY[:100], 1)[1][:, 0] == np.arange(100)).mean() > 0.95
    assert str(again.path) == str(path)
    path.unlink()
    assert "image.index: there is no such index file" in user_error(index.load)


def test_a_failed_save_leaves_the_old_ones_whole(embeddings, index, tmp_path):
    embeddings.save(Embeddings(VECTORS, "toy_clip"))
    unwritable = Embeddings(VECTORS[:1], "toy_clip")
    object.__setattr__(unwritable, "clip_name", object())  # fails after the vectors are written
    with pytest.raises(DatasetError, match="not JSON serializable"):
        embeddings.save(unwritable)
    assert np.array_equal(embeddings.load().vectors, VECTORS)

    index.save(build_index(Embeddings(VECTORS, "toy_clip")))
    with pytest.raises(DatasetError, match="Failed while saving"):
        index.save(VectorIndex(object(), "toy_clip"))
    assert len(index.load()) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["embeddings", "index"]


def test_an_index_that_was_cut_off_is_named(index, tmp_path):
    index.save(build_index(Embeddings(MANY, "toy_clip")))
    file = tmp_path / "index" / "image.index"
    file.write_bytes(file.read_bytes()[:1000])
    assert f"{file}: FAISS {faiss.__version__} cannot read this index" in user_error(index.load)


@pytest.mark.parametrize("kind", [EmbeddingsDataset, VectorIndexDataset])
def test_what_is_not_there_is_a_dataset_error(tmp_path, kind):
    with pytest.raises(DatasetError, match=r"about\.json"):
        kind(filepath=str(tmp_path / "nothing")).load()


def test_a_pool_that_is_streamed_has_no_index_file(tmp_path, embeddings):
    embeddings.save(Embeddings(MANY, "toy_clip"))
    index = VectorIndexDataset(filepath=str(tmp_path / "index"), embeddings=str(tmp_path / "embeddings"))
    built = build_index(embeddings.load(), IndexSettings(factory="stream", use_gpu=False))
    index.save(built)
    assert [each.name for each in (tmp_path / "index").iterdir()] == ["about.json"]
    again = index.load()
    assert (again.faiss_index, again.use_gpu, again.described) == (None, False, "stream (exact, no index)")
    assert np.array_equal(again.search(MANY[:9], 4)[1], built.search(MANY[:9], 4)[1])
