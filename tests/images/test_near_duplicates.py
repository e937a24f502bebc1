import numpy as np
import pytest
from PIL import Image

from retrieval_vs_diffusion.images.near_duplicates import NearDuplicates, SimilarGroups, thumbnail


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


def test_groups_by_hand():
    groups = SimilarGroups(0.95)
    assert groups.add(blob(4, 4)) == 1  # the first of a group
    assert groups.add(blob(11, 8)) == 1  # of another
    assert groups.add((blob(4, 4) * 0.5 + 60).astype(np.uint8)) == 2  # the first group's again, darker
    assert groups.add(blob(12, 8)) == 2  # the second's again, moved by one pixel
    assert groups.add(blob(4, 4)) == 3
    assert groups.add(blob(8, 13)) == 1  # a third


def test_a_group_is_known_by_its_first_image_and_does_not_creep():
    groups = SimilarGroups(0.95)
    assert [groups.add(blob(x, 8)) for x in (4, 5, 6)] == [1, 2, 1]  # 6 is one pixel from 5 and two from 4


def test_an_image_that_would_fit_two_groups_is_in_the_nearer_one():
    groups = SimilarGroups(0.6)
    assert groups.add(blob(5, 8)) == 1
    assert groups.add(blob(12, 8)) == 1
    assert groups.add(blob(11, 8)) == 2  # one pixel from 12, six from 5
    assert groups.add(blob(6, 8)) == 2  # one pixel from 5


def test_groups_agree_with_near_duplicates(pool):
    images = list(pool.pixels()[:60])
    similarity, _ = NearDuplicates(np.stack([thumbnail(images[0])])).nearest(images[1:])
    for limit in (0.6, 0.8, 0.9):
        for image, similar in zip(images[1:], similarity, strict=True):
            groups = SimilarGroups(limit)
            groups.add(images[0])
            assert groups.add(image) == (2 if similar >= limit else 1)
    assert 0 < (similarity >= 0.6).sum() < 59  # both cases occur


def test_flat_pictures_make_no_group():
    groups = SimilarGroups(0.9)
    assert [groups.add(np.full((16, 16, 3), grey, np.uint8)) for grey in (255, 255, 0)] == [1, 1, 1]
