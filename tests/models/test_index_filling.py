"""An index that was filled in parts, interrupted and gone on with holds the same bytes as one filled in one go."""

from __future__ import annotations

import faiss
import numpy as np
import pytest

from retrieval_vs_diffusion.models import index_filling, index_training
from retrieval_vs_diffusion.models.index_filling import filled
from retrieval_vs_diffusion.models.index_settings import IndexSettings
from retrieval_vs_diffusion.models.index_training import make_faiss_index
from retrieval_vs_diffusion.unfinished import kept_in
from tests.models.clustered import clustered, embeddings_of

VECTORS = clustered()
MERGED = ("IVF16,Flat", "IVF16,SQ8", "IVF8,PQ4", "OPQ4_8,IVF8,PQ4", "IVF16_HNSW8,SQ8")


def trained(factory: str):
    index = faiss.index_factory(VECTORS.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    if not index.is_trained:
        index.train(VECTORS)
    return index


def bytes_of(index) -> bytes:
    return faiss.serialize_index(index).tobytes()


@pytest.mark.parametrize("factory", [*MERGED, "Flat", "HNSW16", "IVF16,SQ4,RFlat", "IVF8,PQ4x4fs"])
def test_a_killed_filling_goes_on_to_the_same_bytes(factory, tmp_path, monkeypatch):
    empty, embeddings = trained(factory), embeddings_of(VECTORS)
    whole = filled(faiss.clone_index(empty), embeddings, "adding")  # nothing is kept: in one go
    added, add_rows = [], index_filling._add_rows

    def killed_after_two(index, of, start, end):
        if len(added) == 2:
            raise InterruptedError
        add_rows(index, of, start, end)
        added.append(start)

    def fill():
        with kept_in(tmp_path / "step" / "f"):
            return filled(faiss.clone_index(empty), embeddings, "adding", rows_per_part=600)  # of 2,000: 4 parts

    with monkeypatch.context() as patched:
        patched.setattr(index_filling, "_add_rows", killed_after_two)
        if factory in MERGED:
            with pytest.raises(InterruptedError):
                fill()
            assert added == [0, 600]
        else:
            fill()  # without parts
            assert added == []
    monkeypatch.setattr(index_filling, "_add_rows", lambda *given: (added.append(given[2]), add_rows(*given)))
    assert bytes_of(fill()) == bytes_of(whole)
    assert added == ([0, 600, 1200, 1800] if factory in MERGED else [])


def test_a_killed_run_does_not_train_again(tmp_path, monkeypatch):
    embeddings, settings = embeddings_of(VECTORS), IndexSettings(factory="IVF16,SQ8")
    whole = bytes_of(make_faiss_index(embeddings, settings, 0))
    for _ in range(2):
        with kept_in(tmp_path / "step" / "f"):
            assert bytes_of(make_faiss_index(embeddings, settings, 0)) == whole
        monkeypatch.setattr(index_training, "_train", None)  # would fail


def test_a_damaged_part_is_added_again(tmp_path):
    empty, embeddings = trained("IVF16,Flat"), embeddings_of(VECTORS)

    def fill():
        with kept_in(tmp_path / "step" / "f"):
            return filled(faiss.clone_index(empty), embeddings, "adding", rows_per_part=600)

    whole = bytes_of(fill())
    (part,) = (tmp_path / "step" / "f").rglob("000001.*")
    part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    index = fill()
    assert bytes_of(index) == whole
    assert np.array_equal(index.search(VECTORS[:5], 1)[1][:, 0], np.arange(5)) or index.nprobe == 1
