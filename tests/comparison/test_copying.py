import numpy as np
import pytest
from PIL import Image

from retrieval_vs_diffusion.comparison.copying import nearest_in_pool
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.near_duplicates import thumbnail
from retrieval_vs_diffusion.models.vector_index import Embeddings, VectorIndex, build_index


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (16, 16, 3)).astype(np.uint8)


def thumbnails(*images: np.ndarray) -> np.ndarray:
    return np.stack([thumbnail(image) for image in images])


def wide(pixels: np.ndarray) -> np.ndarray:
    """The picture four times as large, with a border left and right that a square crop takes off."""
    large = np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.NEAREST))
    return np.pad(large, ((0, 0), (16, 16), (0, 0)))


# Pool: pictures 0, 1 and 2, one of them large and wide; their embeddings are the axes.
POOL = ImageTable.from_rows(
    [image_row(noise(0), "pool/0"), image_row(wide(noise(1)), "pool/1"), image_row(noise(2), "pool/2")]
)
INDEX = build_index(Embeddings(np.eye(3, dtype=np.float32), "toy"))


def test_a_copy_and_an_image_of_its_own_by_hand():
    generated = thumbnails(noise(1), noise(7))
    embeddings = np.array([[0, 1, 0], [0.6, 0, 0.8]], np.float32)
    # cosines to the nearest: 1 and 0.8; the first is pool image 1, the second is no pool image
    assert nearest_in_pool(generated, embeddings, POOL, INDEX, 16, 0.9) == {
        "nearest_pool_mean": pytest.approx(0.9),
        "nearest_pool_max": pytest.approx(1.0),
        "copied_share": 0.5,
    }


def test_a_copy_is_sought_among_the_nearest_alone():
    embeddings = np.array([[1, 0, 0]], np.float32)  # nearest to picture 0, though it is picture 1

    def copied(neighbours: int) -> float:
        return nearest_in_pool(thumbnails(noise(1)), embeddings, POOL, INDEX, 16, 0.9, neighbours)["copied_share"]

    assert (copied(1), copied(10)) == (0, 1)  # ten of a pool of three are all three


def test_the_threshold_decides():
    half = (noise(0) * 0.5 + noise(7) * 0.5).astype(np.uint8)  # correlation about 0.7
    embeddings = np.array([[1, 0, 0]], np.float32)
    shares = [
        nearest_in_pool(thumbnails(half), embeddings, POOL, INDEX, 16, each)["copied_share"] for each in (0.5, 0.93)
    ]
    assert shares == [1, 0]


class StopsShort(VectorIndex):
    """An index of inverted lists: it finds one neighbour, and says -1 for the others, as FAISS does."""

    def __init__(self) -> None:
        vars(self).update(vars(INDEX))

    def search(self, queries: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
        similarities = np.full((len(queries), depth), np.finfo(np.float32).min, np.float32)
        rows = np.full((len(queries), depth), -1)
        similarities[:, 0], rows[:, 0] = 1.0, 1
        return similarities, rows


def test_an_index_that_finds_fewer_neighbours_than_it_is_asked_for_is_no_mistake():
    generated, embeddings = thumbnails(noise(1), noise(7)), np.array([[0, 1, 0], [0, 1, 0]], np.float32)
    found = nearest_in_pool(generated, embeddings, POOL, StopsShort(), 16, 0.9)
    assert (found["nearest_pool_mean"], found["copied_share"]) == (1.0, 0.5)


def test_of_a_pool_of_links_nothing_is_downloaded_to_be_compared_and_the_cosines_are_told():
    about = {"content_hash": "", "image": None, "source": "https://x/1"}
    links = ImageTable.from_rows([{"image_id": f"links/{n}", **about} for n in range(3)], {"kind": "links"})
    found = nearest_in_pool(thumbnails(noise(1)), np.array([[0.6, 0, 0.8]], np.float32), links, INDEX, 16, 0.9)
    assert found["nearest_pool_mean"] == pytest.approx(0.8)
