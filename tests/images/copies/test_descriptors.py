import numpy as np
import pytest
from scipy.fft import dctn

from retrieval_vs_diffusion.images.copies.descriptors import STARTS, WIDTH, describe, describe_windows
from retrieval_vs_diffusion.images.copies.pictures import grey_picture
from tests.images.copies.photographs import photograph


def picture(seed: int = 0) -> np.ndarray:
    return grey_picture(photograph(seed))[None].astype(np.float32)


def test_it_is_the_low_end_of_a_cosine_transform():
    low = dctn(picture()[0], norm="ortho")[:6, :6].ravel()[1:]
    np.testing.assert_allclose(describe(picture())[0], low / np.linalg.norm(low), atol=1e-4)


def test_light_does_not_change_it():
    np.testing.assert_allclose(describe(picture() * 0.5 + 30), describe(picture()), atol=1e-4)


def test_the_flatter_a_picture_the_shorter_its_vector():
    faint = (np.cos(np.pi * (np.arange(32) + 0.5) / 32) * np.sqrt(2)).astype(np.float32)  # of deviation 1
    lengths = [np.linalg.norm(describe(np.tile(deviation * faint, (1, 32, 1)))) for deviation in (0, 1, 2, 50)]
    assert lengths == pytest.approx([0, 0.5, 1, 1], abs=1e-3)  # 1 of 2


def test_each_picture_has_its_windows_side_by_side():
    both = describe_windows(np.concatenate([picture(0), picture(1)]))
    assert both.shape == (2 * len(STARTS), WIDTH) == (10, 35)
    np.testing.assert_allclose(both[5], describe(picture(1))[0], atol=1e-4)  # the first window is all of it
    corner = np.repeat(picture(1)[0, :29, :29, None].astype(np.uint8), 3, axis=2)  # 0.92 of 32 is 29.4
    assert both[6] @ both[5] < both[6] @ describe(grey_picture(corner)[None].astype(np.float32))[0]
