import re

import faiss
import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.vector_index import Embeddings, IndexSettings, VectorIndex, build_index
from tests.models.clustered import clustered, unit

VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8], [-1, 0]], dtype=np.float32)
MANY = clustered()
QUERIES = clustered(50, seed=0)  # near the same centres


@pytest.fixture
def index():
    return build_index(Embeddings(VECTORS, "toy_clip"))


def built(factory: str, vectors=MANY, **settings) -> VectorIndex:
    return build_index(Embeddings(vectors, "toy_clip"), IndexSettings(factory=factory, **settings))


def alone(factory: str, vectors=MANY, **settings) -> VectorIndex:
    """An index that has no embeddings beside it."""
    return VectorIndex(built(factory, vectors, **settings).faiss_index, "toy_clip")


def test_the_nearest_come_first_with_their_cosines(index):
    similarities, rows = index.search(np.array([[1.0, 0.0]]), 4)
    assert rows.tolist() == [[0, 2, 1, 3]]
    assert similarities[0] == pytest.approx([1, 0.6, 0, -1])


def test_each_query_has_a_row_of_answers(index):
    similarities, rows = index.search(np.array([[0.0, 1.0], [-1.0, 0.0]]), 1)
    assert rows.tolist() == [[1], [3]]
    assert similarities.shape == (2, 1)


def test_it_knows_how_many_it_holds_and_gives_them_back(index):
    assert len(index) == 4
    assert index.vectors(np.array([2, 0])).tolist() == VECTORS[[2, 0]].tolist()
    assert VectorIndex(index.faiss_index, "toy_clip").vectors(np.array([2, 0])).tolist() == VECTORS[[2, 0]].tolist()


def test_more_neighbours_than_there_are_is_an_error(index):
    with pytest.raises(ValueError, match="asked for 5 neighbours of an index that holds 4"):
        index.search(VECTORS, 5)


def test_an_index_does_not_need_vectors_in_one_piece_of_memory():
    wide = np.zeros((4, 4), np.float64)
    wide[:, ::2] = VECTORS
    index = build_index(Embeddings(wide[:, ::2], "toy_clip"))
    assert index.search(VECTORS, 1)[1].ravel().tolist() == [0, 1, 2, 3]


def test_an_empty_pool_has_an_index():
    assert len(build_index(Embeddings(np.zeros((0, 0), np.float32), "toy_clip"))) == 0
    assert len(build_index(Embeddings(np.zeros((0, 16), np.float32), "toy_clip"))) == 0


def test_it_says_whether_it_is_exact_and_what_it_is():
    assert (built("Flat").exact, built("Flat").described) == (True, "Flat (exact)")
    lists = built("IVF16,SQ8", nprobe=4)
    assert (lists.exact, lists.described) == (False, "IVF16,SQ8 (approximate, reads 4 of 16 lists)")
    assert not built("SQfp16").exact
    assert built("HNSW16").described == "HNSW16 (approximate)"
    assert built("NSG16", MANY[:200]).described == "IndexNSGFlat (approximate)"  # FAISS cannot tell
    assert built("PCA8,IVF4,SQ8").described == "PCA8,IVF4,SQ8 (approximate, reads 4 of 4 lists)"


def test_neighbours_that_an_approximate_index_does_not_find_are_minus_one():
    index = built("IVF16,Flat", nprobe=1)
    similarities, rows = index.search(QUERIES, 1000)
    missing = rows == -1
    assert missing.any(axis=1).all()
    assert (similarities[missing] == -np.inf).all()
    assert (similarities[~missing] >= -1.001).all()
    assert (np.diff(missing.astype(int), axis=1) >= 0).all()  # they stand at the end
    exact = np.einsum("qd,qkd->qk", QUERIES, MANY[rows])
    assert similarities[~missing] == pytest.approx(exact[~missing], abs=1e-5)


def test_an_l2_index_over_unit_vectors_gives_cosines():
    l2 = faiss.index_factory(16, "Flat")
    l2.add(MANY)
    assert l2.metric_type == faiss.METRIC_L2
    similarities, rows = VectorIndex(l2, "toy_clip").search(QUERIES, 20)
    expected, expected_rows = built("Flat").search(QUERIES, 20)
    assert similarities == pytest.approx(expected, abs=1e-5)
    assert (rows == expected_rows).mean() > 0.99
    assert VectorIndex(l2, "toy_clip").exact
    few = faiss.index_factory(16, "IVF64,Flat")
    few.train(MANY)
    few.add(MANY)
    similarities, rows = VectorIndex(few, "toy_clip").search(QUERIES, 1000)
    assert (similarities[rows == -1] == -np.inf).all()  # FAISS gives them a huge distance


def test_queries_of_other_dimensions_are_told_on_both_sides(index):
    with pytest.raises(UserError, match="holds 2-d embeddings of toy_clip, the queries have 16 dimensions: take the"):
        index.search(QUERIES, 1)


@pytest.mark.parametrize(
    ("factory", "off_by"),
    [
        *(("Flat", 0), ("IVF16,Flat", 0), ("HNSW8", 0), ("IVF16,SQ8", 0.02), ("SQfp16", 0.001)),
        *(("OPQ4_16,IVF4,PQ4x4", 0.8), ("IVF4,PQ8x4,RFlat", 0)),
    ],
)
def test_vectors_come_from_the_embeddings_or_from_the_codes(factory, off_by):
    rows, some = np.array([5, 399, 0]), MANY[:400]
    assert np.array_equal(built(factory, some).vectors(rows), some[rows])
    restored = alone(factory, some).vectors(rows)
    distances = np.linalg.norm(restored - some[rows], axis=1)
    assert (distances <= off_by).all()
    assert off_by == 0 or distances.max() > 0


def test_an_index_that_gives_no_vectors_back_says_what_would_do():
    """The process would end here if FAISS were asked."""
    rows = np.array([0])
    with pytest.raises(UserError, match=r"IndexIVFPQFastScan gives no vectors back .* give the embeddings"):
        alone("IVF4,PQ8x4fs", MANY[:400]).vectors(rows)
    assert np.array_equal(built("IVF4,PQ8x4fs", MANY[:400]).vectors(rows), MANY[:1])


def test_an_index_that_numbers_its_vectors_otherwise_is_told():
    other = faiss.IndexIDMap(faiss.IndexFlatIP(16))
    other.add_with_ids(MANY[:10], np.arange(100, 110))
    with pytest.raises(UserError, match="gives number 109 to one of its 10 vectors; take an index whose entry i"):
        VectorIndex(other, "toy_clip").search(MANY[:10], 10)


@pytest.mark.parametrize(
    ("embeddings", "said"),
    [
        (Embeddings(MANY, "toy_clip"), "toy_clip: holds 4 vectors, embeddings of toy_clip has 2000: take"),
        (Embeddings(unit(np.ones((4, 3))), "toy_clip"), "holds vectors of 2 dimensions, embeddings of toy_clip has 3"),
        (Embeddings(VECTORS, "other"), "holds vectors of toy_clip, embeddings of other has embeddings of other"),
    ],
)
def test_embeddings_that_do_not_go_with_an_index_are_refused(index, embeddings, said):
    with pytest.raises(UserError, match=re.escape(said)):
        index.with_embeddings(embeddings)
    assert index.with_embeddings(Embeddings(VECTORS, "toy_clip")).embeddings is not None


def test_broken_embeddings_are_not_found():
    vectors = MANY[:300].copy()
    vectors[::3] = np.nan
    similarities, rows = built("Flat", vectors).search(MANY[:300], 10)
    assert not (rows % 3 == 0)[similarities > 0].any()
    assert np.isfinite(similarities).all()


@pytest.mark.parametrize("factory", ["Flat", "IVF4,Flat"])
def test_no_neighbours_asked_for_are_none_found(factory):
    similarities, rows = built(factory).search(QUERIES[:3], 0)
    assert similarities.shape == rows.shape == (3, 0)


def test_an_index_of_broken_embeddings_alone_is_built_and_searched():
    similarities, rows = built("Flat", np.full((5, 16), np.nan, np.float32)).search(QUERIES[:2], 5)
    assert not similarities.any()
    assert sorted(rows[0]) == [0, 1, 2, 3, 4]


def test_more_vectors_than_streaming_can_number_are_told_before_they_are_read():
    many = Embeddings(np.broadcast_to(np.float32(1), (2**32 + 1, 1)), "clip")  # of one number in memory
    with pytest.raises(UserError, match=r"found 4,294,967,297 vectors, factory stream searches up to 4,294,967,296;"):
        build_index(many, IndexSettings(factory="stream"))
    build_index(Embeddings(many.vectors[1:], "clip"), IndexSettings(factory="stream"))
