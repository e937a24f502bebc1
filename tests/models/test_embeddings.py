import numpy as np
import pytest

from retrieval_vs_diffusion.models.embeddings import Embeddings, EmbeddingStream, embeddings_of_files
from retrieval_vs_diffusion.models.sharded_vectors import ShardedVectors

VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8], [-1, 0], [0, -1]], dtype=np.float32)


def test_rows_and_batches_are_the_same_from_memory_and_from_files(tmp_path):
    np.save(tmp_path / "0.npy", VECTORS[:2])
    np.save(tmp_path / "1.npy", VECTORS[2:])
    for vectors in (VECTORS, VECTORS.astype(np.float64), ShardedVectors([tmp_path / "0.npy", tmp_path / "1.npy"])):
        embeddings = Embeddings(vectors, "toy_clip")
        assert (len(embeddings), embeddings.width) == (5, 2)
        assert np.array_equal(embeddings.rows(np.array([4, 0])), VECTORS[[4, 0]])
        assert np.array_equal(embeddings.in_memory(), VECTORS)
        for size in (None, 1, 2, 9):
            assert np.array_equal(np.concatenate(list(embeddings.batches(size))), VECTORS)


def test_without_a_size_a_batch_is_64_megabytes(monkeypatch):
    from retrieval_vs_diffusion.models import embeddings

    monkeypatch.setattr(embeddings, "_BATCH_BYTES", 24)  # three vectors of two dimensions
    assert [len(batch) for batch in Embeddings(VECTORS, "toy_clip").batches()] == [3, 2]


def test_files_of_others_are_referred_to_and_their_broken_rows_counted(tmp_path):
    vectors = VECTORS.copy()
    vectors[[1, 3]] = [[np.inf, 0], [0, 0]]
    np.save(tmp_path / "img_emb_0.npy", vectors.astype(np.float16))
    embeddings = embeddings_of_files([tmp_path / "img_emb_0.npy"], "toy_clip")
    assert (embeddings.broken, embeddings.clip_name) == (2, "toy_clip")
    assert isinstance(embeddings.vectors, ShardedVectors)
    assert embeddings.origin == str(tmp_path / "img_emb_0.npy")


def test_messages_can_say_where_they_are(tmp_path):
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", VECTORS)
    several = Embeddings(ShardedVectors([tmp_path / f"{number}.npy" for number in range(3)]), "toy_clip")
    assert several.origin == f"{tmp_path / '0.npy'} and 2 more"
    assert Embeddings(np.load(tmp_path / "0.npy", mmap_mode="r"), "toy_clip").origin == str(tmp_path / "0.npy")
    assert Embeddings(VECTORS, "toy_clip").origin == "embeddings of toy_clip"


def test_a_stream_makes_a_batch_when_it_is_asked_for_and_measures_what_that_takes(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    made = []

    def make():
        for number in range(2):
            made.append(number)
            yield VECTORS[:2]

    stream = EmbeddingStream(make(), 4, "toy_clip")
    batches = iter(stream)
    assert (made, stream.seconds) == ([], 0)
    next(batches)
    assert made == [0]
    assert len(list(batches)) == 1
    assert stream.seconds == pytest.approx(3)  # two batches and the end, a tick each
