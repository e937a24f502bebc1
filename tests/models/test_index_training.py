"""Indices of any factory string, trained on a sample."""

import contextlib
import logging

import faiss
import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models import index_training
from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.models.index_settings import IndexSettings
from retrieval_vs_diffusion.models.index_training import _sample, make_faiss_index
from retrieval_vs_diffusion.models.sharded_vectors import ShardedVectors
from tests.models.clustered import clustered, embeddings_of

VECTORS = clustered()


def make(factory: str = "auto", vectors: np.ndarray = VECTORS, seed: int = 0, **settings):
    return make_faiss_index(embeddings_of(vectors), IndexSettings(factory=factory, **settings), seed)


def bytes_of(index) -> bytes:
    return faiss.serialize_index(index).tobytes()


@pytest.mark.parametrize(
    ("factory", "found_first"),  # the share of vectors that are nearest to themselves; coarse codes tell few apart
    [
        *(("Flat", 1), ("IVF16,Flat", 1), ("IVF16_HNSW8,SQ8", 1), ("HNSW16", 0.99), ("SQfp16", 1), ("IVF16,SQ8", 1)),
        *(("IVF8,PQ4x4", 0.05), ("PCA12,SQ8", 0.6), ("IVF16,SQ4,RFlat", 0.9), ("NSG16", 0.7)),
    ],
)
def test_an_index_of_any_kind_holds_all_vectors_and_finds_them(factory, found_first):
    index = make(factory, nprobe=8)
    assert (index.ntotal, index.metric_type) == (2000, faiss.METRIC_INNER_PRODUCT)
    _, rows = index.search(VECTORS[:200], 1)
    assert (rows[:, 0] == np.arange(200)).mean() >= found_first


def test_auto_is_what_the_settings_say():
    assert isinstance(make(), faiss.IndexFlat)
    lists = make(exact_up_to_bytes=10_000, stream_up_to_bytes=0)  # 128,000 bytes of vectors, 32,000 of codes
    assert isinstance(lists, faiss.IndexIVFScalarQuantizer)
    assert (lists.nlist, lists.nprobe) == (32, 8)  # 2000 / 40 = 50 lists at most
    assert make("IVF32,SQ8", nprobe=3).nprobe == 3


@pytest.mark.parametrize("factory", ["IVF16,SQ8", "OPQ4_8,IVF4,PQ4x4", "HNSW8", "IVF16_HNSW8,Flat"])
def test_the_same_input_makes_the_same_bytes(factory):
    assert bytes_of(make(factory, VECTORS[:400])) == bytes_of(make(factory, VECTORS[:400]))


@pytest.mark.parametrize("factory", ["IVF16,SQ8", "HNSW8", "NSG16"])
def test_the_number_of_threads_does_not_matter(factory):
    before = faiss.omp_get_max_threads()
    made = []
    try:
        for threads in (1, 4):
            faiss.omp_set_num_threads(threads)
            made.append(bytes_of(make(factory, VECTORS[:800])))
            assert faiss.omp_get_max_threads() == threads  # as it was left
    finally:
        faiss.omp_set_num_threads(before)
    assert made[0] == made[1]


def test_the_seed_draws_the_sample():
    assert bytes_of(make("IVF8,SQ8", train_sample=400)) == bytes_of(make("IVF8,SQ8", train_sample=400))
    assert bytes_of(make("IVF8,SQ8", train_sample=400)) != bytes_of(make("IVF8,SQ8", train_sample=400, seed=1))
    assert bytes_of(make("IVF8,SQ8")) == bytes_of(make("IVF8,SQ8", seed=1))  # it holds all vectors


def test_the_sample_holds_a_vector_once_and_no_broken_one():
    vectors = VECTORS.copy()
    vectors[:1000] = np.nan
    sample = _sample(embeddings_of(vectors), 1990, 0)
    assert 990 <= len(sample) == len(np.unique(sample, axis=0)) <= 1000
    assert np.array_equal(_sample(embeddings_of(VECTORS), 5000, 0), VECTORS)


@pytest.mark.parametrize(("factory", "number"), [("NSG16", 1), ("HNSW8", None)])
def test_a_graph_that_depends_on_threads_is_made_by_one(factory, number, monkeypatch):
    asked = []

    def noting(number):
        asked.append(number)
        return contextlib.nullcontext()

    monkeypatch.setattr(index_training, "threads", noting)
    make(factory, VECTORS[:200])
    assert asked == [number]


def test_a_large_pool_is_trained_on_a_part_and_read_in_batches(tmp_path, monkeypatch):
    """Never more than a sample and a batch of the vectors are asked for."""
    monkeypatch.setattr(index_training, "_TRAINING_VECTORS", 100)
    monkeypatch.setattr("retrieval_vs_diffusion.models.embeddings._BATCH_BYTES", 300 * 16 * 4)
    np.save(tmp_path / "0.npy", VECTORS[:1500])
    np.save(tmp_path / "1.npy", VECTORS[1500:])
    asked = []

    class Noting(ShardedVectors):
        def __getitem__(self, rows):
            asked.append(len(rows))
            return super().__getitem__(rows)

        def checked_batches(self, size):
            for vectors, broken in super().checked_batches(size):
                asked.append(len(vectors))
                yield vectors, broken

    embeddings = Embeddings(Noting([tmp_path / "0.npy", tmp_path / "1.npy"]), "toy_clip")
    index = make_faiss_index(embeddings, IndexSettings(factory="IVF10,Flat"), 0)
    assert asked == [400, 300, 300, 300, 300, 300, 300, 200]  # a sample of 40 for each list, then batches
    assert index.ntotal == 2000


def test_broken_vectors_train_nothing_and_keep_their_rows():
    vectors = VECTORS[:500].copy()
    vectors[::5] = np.nan
    index = make("IVF4,Flat", vectors, nprobe=4)
    assert index.ntotal == 500
    assert np.isfinite(index.quantizer.reconstruct_n(0, 4)).all()
    similarities, rows = index.search(VECTORS[:500], 5)
    assert not (rows % 5 == 0)[similarities > 0.1].any()
    assert (rows[1::5, 0] == np.arange(500)[1::5]).all()


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("Flatt", 'found factory "Flatt", of which FAISS says for 16 dimensions: could not parse index string Flatt; '),
        ("IVF4,PQ7", r"should be a multiple of the number of subquantizers \(M\); take auto"),
        ("LSH", r"metric == METRIC_L2"),
        ("IVF0,Flat", "has no inverted list"),
        ("IDMap,Flat", r"does not fit 2000 vectors of 16 dimensions; FAISS says: add does not make sense"),
        ("PCA20,Flat", r"FAISS says: PCA matrix cannot output 20 dimensions from 16"),
    ],
)
def test_a_factory_that_does_not_fit_is_told_in_one_line(factory, said):
    with pytest.raises(UserError, match=said) as error:
        make(factory)
    assert "\n" not in str(error.value)
    assert "/project" not in str(error.value)  # where FAISS was compiled


@pytest.mark.parametrize(
    ("factory", "settings", "said"),
    [
        ("IVF4096,Flat", {}, "must be trained on at least 4096 vectors, there are 2000: bring at least 4096 images"),
        (
            "IVF64,Flat",
            {"train_sample": 50},
            "64 vectors, there are 50: raise index.train_sample to at least 64, better",
        ),
        ("PQ4", {"train_sample": 50}, "at least 256 vectors, there are 50"),
    ],
)
def test_too_few_vectors_are_told_with_how_many_would_do(factory, settings, said):
    with pytest.raises(UserError, match=said):
        make(factory, **settings)


def test_where_there_is_no_gpu_that_is_said(caplog, monkeypatch):
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 0)
    with caplog.at_level(logging.INFO):
        make("IVF16,SQ8")
    assert "FAISS sees no GPU: the index is trained on the CPU" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        make("Flat")
    assert "GPU" not in caplog.text  # nothing is trained


def test_gpus_train_the_lists_alone(caplog, monkeypatch):
    """No test machine has a GPU: a flat index on the CPU stands for one on all GPUs."""
    made = []

    def to_gpus(index):
        made.append(index.d)
        return index

    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 2)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", to_gpus)
    with caplog.at_level(logging.INFO):
        index = make("OPQ4_8,IVF4,PQ4x4", VECTORS[:400])
    assert made == [8]  # behind the rotation
    assert "Training the inverted lists on 2 GPUs" in caplog.text
    assert faiss.downcast_index(faiss.extract_index_ivf(index)).clustering_index is None  # it would be gone
    assert index.ntotal == 400
    assert len(make("IVF4,Flat", use_gpu=False).search(VECTORS[:1], 1)) == 2
    assert len(made) == 1


def test_a_gpu_that_fails_is_told_and_the_cpu_trains(caplog, monkeypatch):
    def fail(index):
        raise RuntimeError("Error in void f() at /project/faiss/gpu.cu:12: Error: 'err' failed: out of memory")

    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", fail)
    assert make("IVF4,Flat").ntotal == 2000
    assert "trained on the CPU; its GPU says: out of memory" in caplog.text
