import numpy as np
import pytest
from PIL import Image

from retrieval_vs_diffusion.images.near_duplicates import NearDuplicates, thumbnail


def blob(x: int = 8, y: int = 8, side: int = 16) -> np.ndarray:
    """A soft bright spot on a dark ground."""
    axis = np.arange(side)
    spot = np.exp(-((axis[None] - x) ** 2 + (axis[:, None] - y) ** 2) / (side / 2))
    return np.repeat((30 + 180 * spot)[..., None], 3, axis=2).astype(np.uint8)


@pytest.fixture
def protected() -> NearDuplicates:
    return NearDuplicates(np.stack([thumbnail(blob(4, 4)), thumbnail(blob(11, 8))]))


def similarity_of(protected: NearDuplicates, pixels: np.ndarray) -> float:
    return float(protected.nearest([pixels])[0][0])


def test_a_copy_is_found_and_named(protected):
    similarity, which = protected.nearest([blob(11, 8), blob(4, 4)])
    assert similarity == pytest.approx([1.0, 1.0], abs=1e-5)
    assert which == [1, 0]


def test_a_copy_moved_by_one_pixel_is_found(protected):
    assert similarity_of(protected, blob(12, 7)) > 0.99
    assert similarity_of(protected, blob(15, 12)) < 0.7  # moved by four


def test_light_and_contrast_do_not_hide_a_copy(protected):
    assert similarity_of(protected, (blob(4, 4) * 0.5 + 60).astype(np.uint8)) > 0.99


def test_a_copy_of_another_size_and_colour_is_found(protected):
    large = np.asarray(Image.fromarray(blob(11, 8)).resize((64, 64), Image.Resampling.BICUBIC))
    assert similarity_of(protected, large * np.array([1, 1, 0], np.uint8)) > 0.97


def test_a_negative_is_no_copy(protected):
    assert similarity_of(protected, 255 - blob(4, 4)) < 0.5


def test_a_flat_picture_resembles_nothing(protected):
    assert similarity_of(protected, np.full((16, 16, 3), 255, np.uint8)) == 0


def test_where_nothing_is_protected_nothing_is_near():
    similarity, _ = NearDuplicates(np.zeros((0, 16, 16), np.uint8)).nearest([blob()])
    assert similarity.tolist() == [-1.0]


def test_no_images_have_no_similarities(protected):
    similarity, which = protected.nearest([])
    assert (len(similarity), which) == (0, [])


def test_a_thumbnail_averages():
    checks = np.zeros((32, 32, 3), np.uint8)
    checks[::2] = 200
    assert (thumbnail(checks) == 100).all()  # half of each 2x2 square is 200, half is 0
