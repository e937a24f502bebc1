import numpy as np

from retrieval_vs_diffusion.images.copies.pictures import grey_picture, short_side
from tests.images.copies.photographs import photograph


def test_a_picture_is_squeezed_into_a_square():
    wide = np.zeros((40, 80, 3), np.uint8)
    wide[:, 40:] = 200
    picture = grey_picture(wide)
    assert picture.shape == (32, 32)
    assert (picture[:, :14] < 10).all()
    assert (picture[:, 18:] > 190).all()


def test_a_picture_of_its_size_stays_as_it_is():
    grey = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    assert (grey_picture(np.repeat(grey[..., None], 3, axis=2)) == grey).all()


def test_a_large_picture_is_averaged_and_not_sampled():
    checks = (np.indices((256, 256)).sum(axis=0) % 2 * 200).astype(np.uint8)
    assert np.abs(grey_picture(np.repeat(checks[..., None], 3, axis=2)).astype(int) - 100).max() <= 5  # 0 and 200


def test_the_short_side_counts_up_to_that_of_the_picture():
    large = photograph(0, 64)
    assert [short_side(each) for each in (large[:16, :40], large[:20, :12], large[:, :33])] == [16, 12, 32]
