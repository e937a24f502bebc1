import numpy as np
import pytest

from retrieval_vs_diffusion.images.square import square


def test_a_fitting_image_stays_as_it_is():
    pixels = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    assert square(pixels, 16) is pixels


@pytest.mark.parametrize("shape", [(16, 40), (40, 16), (100, 33), (3, 5), (1, 1)])
def test_any_shape_becomes_a_square(shape):
    assert square(np.zeros((*shape, 3), np.uint8), 16).shape == (16, 16, 3)


def test_the_centre_is_kept():
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, 16:32] = 255  # black, white, black: thirds of 16 pixels
    assert (square(wide, 16) == 255).all()
