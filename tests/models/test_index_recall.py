import faiss
import numpy as np
import pytest

from retrieval_vs_diffusion.models import index_recall
from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.models.index_recall import exact_similarities, measure_recall
from retrieval_vs_diffusion.models.vector_index import IndexSettings, VectorIndex, build_index
from tests.models.clustered import clustered

VECTORS = clustered()
EMBEDDINGS = Embeddings(VECTORS, "toy_clip")
QUERIES = clustered(40, seed=0)


class Planned:
    """Stands for a FAISS index that finds what it is told to."""

    d, metric_type = 16, faiss.METRIC_INNER_PRODUCT

    def __init__(self, rows, n: int = len(VECTORS)) -> None:
        self.rows, self.ntotal = np.array(rows), n

    def search(self, queries, k):
        return np.zeros(self.rows.shape, np.float32), self.rows


def recall_of(rows, k: int, monkeypatch, embeddings=EMBEDDINGS) -> float:
    monkeypatch.setattr("retrieval_vs_diffusion.models.index_file.index_bytes", lambda index: 0)
    index = VectorIndex(Planned(rows, len(embeddings)), "toy_clip")
    return measure_recall(index, embeddings, QUERIES[: len(rows)], k)["recall"]


def test_recall_is_the_share_of_the_nearest_that_are_found(monkeypatch):
    order = np.argsort(-(QUERIES[:2] @ VECTORS.T), axis=1)
    nearest, far = order[:, :4], order[:, -4:]
    assert recall_of(nearest, 4, monkeypatch) == 1
    assert recall_of(nearest[:, ::-1], 4, monkeypatch) == 1  # in any order
    assert recall_of(far, 4, monkeypatch) == 0
    assert recall_of([nearest[0], far[1]], 4, monkeypatch) == 0.5
    assert recall_of([[*nearest[0][:3], far[0][0]], [nearest[1][0], -1, -1, -1]], 4, monkeypatch) == 0.5  # 3 + 1 of 8
    assert recall_of([[nearest[0][0]] * 4, nearest[1]], 4, monkeypatch) == 0.625  # one row counts once: 1 + 4 of 8


def test_of_equally_near_images_any_will_do(monkeypatch):
    copies = np.concatenate([np.tile(QUERIES[:1], (6, 1)), VECTORS[:50]])
    for rows in ([0, 1, 2], [5, 3, 4]):
        assert recall_of([rows], 3, monkeypatch, Embeddings(copies, "toy_clip")) == 1


def test_an_exact_index_misses_nothing_and_is_not_compared(monkeypatch):
    monkeypatch.setattr(index_recall, "exact_similarities", None)
    measured = measure_recall(build_index(EMBEDDINGS), EMBEDDINGS, QUERIES, 10)
    assert (measured["recall"], measured["k"], measured["queries"]) == (1.0, 10, 40)
    assert measured["index_bytes"] == pytest.approx(2000 * 16 * 4, rel=0.01)
    assert measured["index"] == "Flat (exact)"


def test_reading_more_lists_finds_more():
    recalls = []
    for nprobe in (1, 4, 16):
        index = build_index(EMBEDDINGS, IndexSettings(factory="IVF16,Flat", nprobe=nprobe))
        measured = measure_recall(index, EMBEDDINGS, QUERIES, 50)
        assert measured["seconds_per_query"] > 0
        assert measured["exact_seconds_per_query"] > 0
        recalls.append(measured["recall"])
    assert recalls[0] < recalls[1] < recalls[2] == 1


def test_an_index_elsewhere_is_as_large_as_its_file(tmp_path):
    path = tmp_path / "index"
    faiss.write_index(build_index(EMBEDDINGS, IndexSettings(factory="SQ8")).faiss_index, str(path))
    index = build_index(EMBEDDINGS, IndexSettings(path=str(path)))
    measured = measure_recall(index, EMBEDDINGS, QUERIES, 10)
    assert measured["index_bytes"] == path.stat().st_size
    assert measured["recall"] > 0.9


@pytest.mark.parametrize("rows_in_a_batch", [1, 7, 5000])
def test_exact_search_is_that_of_one_large_product(monkeypatch, rows_in_a_batch):
    monkeypatch.setattr("retrieval_vs_diffusion.models.embeddings._BATCH_BYTES", rows_in_a_batch * 64)
    some = Embeddings(VECTORS[:300], "toy_clip")
    expected = -np.sort(-(QUERIES @ VECTORS[:300].T), axis=1)
    assert exact_similarities(some, QUERIES, 9) == pytest.approx(expected[:, :9], abs=1e-6)
    assert exact_similarities(some, QUERIES, 999) == pytest.approx(expected, abs=1e-6)


def test_a_pool_smaller_than_k_is_searched_whole():
    some = Embeddings(VECTORS[:5], "toy_clip")
    measured = measure_recall(build_index(some, IndexSettings(factory="HNSW4")), some, QUERIES, 10)
    assert (measured["k"], measured["recall"]) == (5, 1.0)
