import numpy as np
import pytest

from benchmarks.gpu_stages.differences import (
    contrast,
    image_checks,
    lowest_cosine,
    lowest_cosine_of_differences,
)


def images(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(50, 200, (2, 8, 8, 3), dtype=np.uint8)


def test_contrast_is_that_within_an_image():
    flat = np.stack([np.full((8, 8, 3), 10, np.uint8), np.full((8, 8, 3), 200, np.uint8)])
    assert contrast(list(flat)) == 0
    half = np.zeros((1, 8, 8, 3), np.uint8)
    half[:, :4] = 100
    assert contrast(list(half)) == 50


def test_embeddings_that_agree_but_for_what_tells_them_apart_are_found():
    common = np.array([100.0, 0, 0])
    reference = common + np.array([[0, 1.0, 0], [0, -1.0, 0]])
    turned = common + np.array([[0, 0, 1.0], [0, 0, -1.0]])
    assert lowest_cosine(turned, reference) > 0.999
    assert lowest_cosine_of_differences(turned, reference) == pytest.approx(0)
    assert lowest_cosine_of_differences(reference, reference) == pytest.approx(1)


def test_images_hold_where_they_are_near_float32_and_as_near_as_the_peers():
    reference = images()
    near = list(reference + np.uint8(1))
    assert all(check.holds for check in image_checks(near, near, list(reference), least=40))
    other = image_checks(list(images(1)), near, list(reference), least=40)
    assert [check.holds for check in other] == [True, False, False]
    # 48 dB, 20 log10(255), are many, but far from what the peer has: a fault that precision does not excuse.
    worse = image_checks(near, list(reference), list(reference), least=40)
    assert [check.holds for check in worse] == [True, True, False]
    grey = np.full((2, 8, 8, 3), 128, np.uint8)
    assert not image_checks(list(grey), list(grey), list(grey), least=40)[0].holds
