from pathlib import Path

import faiss
import numpy as np
import pytest

from retrieval_vs_diffusion.models.index_file import index_bytes, read_index, write_index
from tests.models.clustered import clustered

VECTORS = clustered(400)


def anonymous_megabytes() -> float:
    """Memory of this process that is in no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


@pytest.mark.parametrize("factory", ["Flat", "SQ8", "IVF8,Flat", "IVF8,SQ8", "HNSW8", "PCA8,IVF4,SQ8", "IVF4,PQ8x4fs"])
def test_an_index_that_is_mapped_finds_the_same(tmp_path, factory):
    index = faiss.index_factory(16, factory, faiss.METRIC_INNER_PRODUCT)
    index.train(VECTORS)
    index.add(VECTORS)
    write_index(index, tmp_path / "index")
    mapped = read_index(tmp_path / "index")
    for found, expected in zip(mapped.search(VECTORS, 5), index.search(VECTORS, 5), strict=True):
        assert np.array_equal(found, expected)
    assert index_bytes(mapped) == index_bytes(index) == (tmp_path / "index").stat().st_size
    write_index(mapped, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "index").read_bytes()


@pytest.mark.parametrize("factory", ["Flat", "HNSW2", "IVF16,Flat"])
def test_an_index_is_not_read_into_memory(tmp_path, factory):
    index = faiss.index_factory(1000, factory, faiss.METRIC_INNER_PRODUCT)
    vectors = np.random.default_rng(0).normal(size=(8000, 1000)).astype(np.float32)
    index.train(vectors[:100])
    index.add(vectors)  # 32 MB
    write_index(index, tmp_path / "index")
    before = anonymous_megabytes()
    mapped = read_index(tmp_path / "index")
    mapped.search(vectors[:2], 3)
    assert anonymous_megabytes() - before < 8


def test_an_index_that_cannot_be_mapped_is_read(tmp_path, monkeypatch):
    write_index(faiss.IndexFlatIP(16), tmp_path / "index")
    read = faiss.read_index

    def unmappable(path, flags=0):
        if flags:
            raise RuntimeError("mmap only supported for File objects")
        return read(path)

    monkeypatch.setattr(faiss, "read_index", unmappable)
    assert read_index(tmp_path / "index").ntotal == 0
