"""Indices of other tools; plain FAISS calls stand for clip-retrieval and autofaiss, which make the same files."""

from pathlib import Path

import faiss
import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.models.vector_index import IndexSettings, build_index, refer_to_index
from tests.models.clustered import clustered

VECTORS = clustered(1000)
EMBEDDINGS = Embeddings(VECTORS, "toy_clip")


def written(path, factory: str, metric=faiss.METRIC_INNER_PRODUCT, vectors=VECTORS, nprobe=None) -> str:
    index = faiss.index_factory(16, factory, metric)
    index.train(vectors)
    index.add(vectors)
    if nprobe:
        index.nprobe = nprobe
    faiss.write_index(index, str(path / "foreign.index"))
    return str(path / "foreign.index")


@pytest.mark.parametrize("factory", ["Flat", "IVF16,Flat", "IVF8,SQ8", "HNSW16", "IVF4,PQ4x4", "IVF4,PQ8x4fs", "SQ8"])
@pytest.mark.parametrize("metric", [faiss.METRIC_INNER_PRODUCT, faiss.METRIC_L2])
def test_an_index_of_any_kind_is_referred_to(tmp_path, factory, metric):
    path = written(tmp_path, factory, metric)
    index = build_index(EMBEDDINGS, IndexSettings(path=path))
    assert str(index.path) == path
    assert len(index) == 1000
    similarities, rows = index.search(VECTORS[:50], 5)
    assert similarities[rows >= 0].max() < 1.6  # coarse codes are not of unit length
    cosines = np.einsum("qd,qkd->qk", VECTORS[:50], VECTORS[rows])
    assert cosines.mean() > 0.75  # those of random rows are 0.05
    assert np.array_equal(index.vectors(np.array([7])), VECTORS[[7]])


@pytest.mark.parametrize(
    ("in_file", "asked", "read"), [(1, None, 8), (3, None, 3), (3, 12, 12), (1, 1, 1), (1, 99, 16)]
)
def test_how_many_lists_are_read(tmp_path, in_file, asked, read):
    path = written(tmp_path, "IVF16,Flat", nprobe=in_file)
    assert f"reads {read} of 16" in refer_to_index(path, EMBEDDINGS, asked).described


def test_an_index_over_other_embeddings_is_found_out(tmp_path):
    path = written(tmp_path, "IVF16,SQ8", vectors=clustered(1000, seed=5))
    with pytest.raises(UserError, match=r"foreign\.index: does not hold embeddings of toy_clip row for row"):
        refer_to_index(path, EMBEDDINGS)


@pytest.mark.parametrize("factory", ["Flat", "IVF4,PQ4x4"])
def test_an_index_in_another_order_is_found_out(tmp_path, factory):
    path = written(tmp_path, factory, vectors=VECTORS[np.random.default_rng(1).permutation(1000)])
    with pytest.raises(UserError, match=r"give embeddings and index of the same images, in the same order"):
        refer_to_index(path, EMBEDDINGS)


def test_an_index_of_other_size_is_refused(tmp_path):
    path = written(tmp_path, "Flat", vectors=VECTORS[:900])
    with pytest.raises(UserError, match=r"foreign\.index: holds 900 vectors, embeddings of toy_clip has 1000"):
        refer_to_index(path, EMBEDDINGS)


def test_an_l2_index_over_vectors_of_other_lengths_is_refused(tmp_path):
    path = written(tmp_path, "Flat", faiss.METRIC_L2, vectors=VECTORS * 10)
    with pytest.raises(UserError, match=r"compares by L2 distance, and its vectors do not have unit length"):
        refer_to_index(path, Embeddings(VECTORS * 10, "toy_clip"))


def test_an_l2_index_beside_broken_embeddings_is_refused(tmp_path):
    path = written(tmp_path, "Flat", faiss.METRIC_L2)
    with pytest.raises(UserError, match=r"to which the 3 broken rows of .* are near"):
        refer_to_index(path, Embeddings(VECTORS, "toy_clip", broken=3))


def test_another_metric_is_refused(tmp_path):
    path = written(tmp_path, "Flat", faiss.METRIC_L1)
    with pytest.raises(UserError, match=r"foreign\.index: compares by FAISS's metric 2; give an index with inner"):
        refer_to_index(path, EMBEDDINGS)


def test_a_file_that_is_no_whole_index_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.index: there is no such index file"):
        refer_to_index(tmp_path / "nothing.index", EMBEDDINGS)
    (tmp_path / "text.index").write_text("hello world")
    with pytest.raises(UserError, match=r'text\.index: FAISS .* cannot read this index \(Index type .*"hell".*give a'):
        refer_to_index(tmp_path / "text.index", EMBEDDINGS)
    path = written(tmp_path, "Flat")
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"foreign\.index: .*read error") as error:
        refer_to_index(path, EMBEDDINGS)
    assert "\n" not in str(error.value)


def test_a_tiny_pool_is_not_tried(tmp_path):
    path = written(tmp_path, "Flat", vectors=VECTORS[:10])
    assert len(refer_to_index(path, Embeddings(VECTORS[:10], "toy_clip"))) == 10
