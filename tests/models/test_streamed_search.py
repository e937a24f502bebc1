"""The streamed search against comparing everything in double precision."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models import near_pairs, running_best, streamed_search
from retrieval_vs_diffusion.models.embeddings import Embeddings, embeddings_of_files
from retrieval_vs_diffusion.models.index_recall import measure_recall
from retrieval_vs_diffusion.models.vector_index import IndexSettings, VectorIndex, build_index
from tests.models.clustered import clustered

VECTORS = clustered(700)
QUERIES = clustered(30, seed=0)


def search(vectors, queries=QUERIES, k=10, **how):
    embeddings = vectors if isinstance(vectors, Embeddings) else Embeddings(vectors, "toy_clip")
    return streamed_search.streamed_search(embeddings, queries, k, **how)


def by_brute_force(vectors, queries, k):
    """Similarities rounded to single precision; of equals the lowest row."""
    similarities = (queries.astype(np.float64) @ vectors.astype(np.float64).T).astype(np.float32)
    rows = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(similarities, rows, axis=1), rows


@pytest.mark.parametrize("k", [1, 10, 699, 700])
@pytest.mark.parametrize("block_rows", [1, 7, 100, 1000])
def test_it_finds_what_comparing_everything_finds(k, block_rows, monkeypatch):
    monkeypatch.setattr(near_pairs, "ROWS", 64)
    monkeypatch.setattr(near_pairs, "QUERIES", 8)
    similarities, rows = search(VECTORS, k=k, block_bytes=4 * VECTORS.shape[1] * block_rows)
    expected, expected_rows = by_brute_force(VECTORS, QUERIES, k)
    assert np.array_equal(rows, expected_rows)
    assert similarities == pytest.approx(expected, abs=1e-7)


def test_of_equals_the_lowest_rows_are_found_in_order():
    many = np.tile(VECTORS[:7], (100, 1))  # row i is the same as i + 7, i + 14, ...
    for block_rows in (1, 10, 350, 5000):
        similarities, rows = search(many, VECTORS[:7], k=50, block_bytes=4 * many.shape[1] * block_rows)
        assert np.array_equal(rows, np.arange(7)[:, None] + 7 * np.arange(50))
        assert (similarities == similarities[:, :1]).all()


def test_the_answer_is_the_same_to_the_last_bit_whatever_is_asked_beside():
    whole, rows = search(VECTORS)
    alone, own_rows = search(VECTORS, QUERIES[3:4], block_bytes=999)
    assert np.array_equal(alone[0], whole[3])
    assert np.array_equal(own_rows[0], rows[3])


def test_broken_vectors_are_never_found():
    vectors = VECTORS[:100].copy()
    vectors[::2] = [[np.nan], [np.inf], [0], [1e-9], [-np.inf]] * 10
    # Turned away from every vector, the query is less similar to each than zeros are.
    queries = -vectors[1::2].mean(axis=0, keepdims=True)
    similarities, rows = search(vectors, queries, k=60, block_bytes=4 * vectors.shape[1] * 30)
    assert sorted(rows[0, :50]) == list(range(1, 100, 2))
    assert (rows[0, 50:] == -1).all()
    assert np.isneginf(similarities[0, 50:]).all()
    few = search(vectors, queries, k=5)[1][0]
    assert few.tolist() == rows[0, :5].tolist()


def test_a_query_of_nan_finds_nothing_and_does_not_disturb_others():
    queries = QUERIES[:3].copy()
    queries[1] = np.nan
    _, rows = search(VECTORS, queries)
    assert (rows[1] == -1).all()
    assert np.array_equal(rows[[0, 2]], by_brute_force(VECTORS, QUERIES[[0, 2]], 10)[1])


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_files_of_any_length_are_one_pool(tmp_path, kind):
    stored = VECTORS.astype(kind)
    files = [tmp_path / f"{number}.npy" for number in range(5)]
    for file, part in zip(files, np.split(stored, [3, 3, 300, 301]), strict=True):  # the second has no rows
        np.save(file, part)
    embeddings = embeddings_of_files(files, "toy_clip")
    for block_rows in (2, 64, 5000):
        similarities, rows = search(embeddings, block_bytes=4 * VECTORS.shape[1] * block_rows)
        expected, expected_rows = by_brute_force(stored.astype(np.float32), QUERIES, 10)
        assert np.array_equal(rows, expected_rows)
        assert similarities == pytest.approx(expected, abs=1e-7)


def test_a_part_of_a_mapped_file_is_read_from_where_it_begins(tmp_path):
    np.save(tmp_path / "all.npy", VECTORS)
    mapped = np.load(tmp_path / "all.npy", mmap_mode="r")
    assert search(mapped[100:])[1].tolist() == by_brute_force(VECTORS[100:], QUERIES, 10)[1].tolist()
    assert search(mapped)[1].tolist() == by_brute_force(VECTORS, QUERIES, 10)[1].tolist()


def test_vectors_of_another_length_are_brought_to_unit_length():
    assert np.array_equal(search(3 * VECTORS)[1], by_brute_force(VECTORS, QUERIES, 10)[1])


def test_a_file_that_was_cut_off_is_said(tmp_path):
    np.save(tmp_path / "all.npy", VECTORS)
    mapped = np.load(tmp_path / "all.npy", mmap_mode="r")
    with (tmp_path / "all.npy").open("r+b") as file:
        file.truncate(10_000)
    with pytest.raises(UserError, match=r"all.npy: ends before its last vector"):
        search(mapped)


def test_memory_does_not_grow_with_the_pool(tmp_path, monkeypatch):
    monkeypatch.setattr(running_best, "_LEAST_WAITING", 1000)  # copies all wait: of 14,000 vectors more than so many

    def peak(copies: int) -> int:
        np.save(tmp_path / "all.npy", np.tile(VECTORS, (copies, 1)).astype(np.float16))
        mapped = np.load(tmp_path / "all.npy", mmap_mode="r")
        tracemalloc.start()
        search(mapped, block_bytes=2**15)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(1)  # imports
    assert peak(100) < 1.3 * peak(20)  # 70,000 vectors and 14,000


def test_auto_streams_what_is_larger_than_memory_may_hold(tmp_path):
    embeddings = Embeddings(VECTORS, "toy_clip")
    index = build_index(embeddings, IndexSettings(exact_up_to_bytes=10_000))
    assert (index.faiss_index, index.exact, index.described) == (None, True, "stream (exact, no index)")
    assert (len(index), index.width) == VECTORS.shape
    assert np.array_equal(index.search(QUERIES, 10)[1], build_index(embeddings).search(QUERIES, 10)[1])
    assert np.array_equal(index.vectors(np.array([5, 2])), VECTORS[[5, 2]])
    assert measure_recall(index, embeddings, QUERIES, 10)["index_bytes"] == 0
    with pytest.raises(ValueError, match="give them"):
        VectorIndex(None, "toy_clip")


def test_the_product_of_another_device_finds_the_same():
    torch = pytest.importorskip("torch")
    on_torch = search(VECTORS, device=torch.device("cpu"), block_bytes=9999)  # the code that a GPU runs
    for one, other in zip(on_torch, search(VECTORS), strict=True):
        assert np.array_equal(one, other)
    broken = VECTORS.copy()
    broken[5:50] = 0
    assert np.array_equal(search(broken, k=660, device=torch.device("cpu"))[1], search(broken, k=660)[1])
