import numpy as np
import pytest

from benchmarks.natural_pictures import natural_pictures, psnr


def test_decibels_of_an_error_by_hand():
    black, white = np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8)
    assert psnr(black, white) == 0  # the error is as large as the largest value
    assert psnr(black, black) == float("inf")
    assert psnr(black + 1, black) == pytest.approx(48.13, abs=0.01)  # 20 log10(255)
    assert psnr(white, white - 1) == psnr(white - 1, white)  # differences of 8 bits do not wrap round


def test_pictures_are_of_the_size_asked_for_and_no_two_alike():
    pictures = natural_pictures(8, 40)
    assert {each.shape for each in pictures} == {(40, 40, 3)}
    assert len({each.tobytes() for each in pictures}) == 8
    assert all(np.array_equal(*pair) for pair in zip(pictures, natural_pictures(8, 40), strict=True))
