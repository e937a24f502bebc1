import numpy as np
import pytest

from retrieval_vs_diffusion.models.vector_index import Embeddings, build_index

VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8], [-1, 0]], dtype=np.float32)


@pytest.fixture
def index():
    return build_index(Embeddings(VECTORS, "toy_clip"))


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


def test_more_neighbours_than_there_are_is_an_error(index):
    with pytest.raises(ValueError, match="asked for 5 neighbours of an index that holds 4"):
        index.search(VECTORS, 5)


def test_an_index_does_not_need_vectors_in_one_piece_of_memory():
    wide = np.zeros((4, 4), np.float64)
    wide[:, ::2] = VECTORS
    index = build_index(Embeddings(wide[:, ::2], "toy_clip"))
    assert index.search(VECTORS, 1)[1].ravel().tolist() == [0, 1, 2, 3]
