import numpy as np
import pytest

from retrieval_vs_diffusion.comparison.variety import diversity, near_duplicate_share
from retrieval_vs_diffusion.images.near_duplicates import THUMBNAIL

X, Y, BACK = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]


def pictures(*seeds: int) -> np.ndarray:
    """Grey noise: the same seed is the same picture, two seeds have nothing in common."""
    shape = (THUMBNAIL, THUMBNAIL)
    return np.stack([np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8) for seed in seeds])


def test_diversity_is_the_mean_distance_within_classes():
    embeddings = np.array([X, Y, BACK, X, X], dtype=np.float32)
    # class 0: x-y 1, x-back 2, y-back 1: mean 4 / 3; class 1: two alike, 0; the mean of both is 2 / 3
    assert diversity(embeddings, np.array([0, 0, 0, 1, 1])) == pytest.approx(2 / 3)


def test_classes_count_alike_however_large_they_are():
    embeddings = np.array([X] * 10 + [X, Y], dtype=np.float32)
    assert diversity(embeddings, np.array([0] * 10 + [1, 1])) == pytest.approx((0 + 1) / 2)


def test_a_class_of_one_image_says_nothing():
    embeddings = np.array([X, Y, BACK], dtype=np.float32)
    assert diversity(embeddings, np.array([0, 0, 1])) == pytest.approx(1)  # of x and y
    assert diversity(embeddings, np.array([0, 1, 2])) is None
    assert near_duplicate_share(pictures(0, 0, 0), np.array([0, 1, 2]), 0.9) is None


def test_an_empty_set_says_nothing():
    nothing = np.array([], dtype=np.int64)
    assert diversity(np.zeros((0, 2), np.float32), nothing) is None
    assert near_duplicate_share(np.zeros((0, THUMBNAIL, THUMBNAIL), np.uint8), nothing, 0.9) is None


def test_near_duplicates_are_counted_within_a_class_alone():
    # class 0: pictures 1, 2, 1, so two of three have one; class 1: 1 and 3, none; two of five
    thumbnails = pictures(1, 2, 1, 1, 3)
    assert near_duplicate_share(thumbnails, np.array([0, 0, 0, 1, 1]), 0.9) == 2 / 5


def test_an_image_is_no_duplicate_of_itself():
    assert near_duplicate_share(pictures(*range(9)), np.zeros(9, dtype=np.int64), 0.9) == 0


@pytest.mark.parametrize("pair", [(0, 1), (2, 5), (3, 4), (0, 10), (7, 8)])
def test_wherever_the_two_stand_they_are_found(pair):
    seeds = list(range(11))
    seeds[pair[1]] = seeds[pair[0]]
    assert near_duplicate_share(pictures(*seeds), np.zeros(11, dtype=np.int64), 0.9) == 2 / 11


def test_the_threshold_decides():
    first, second = pictures(1, 2)
    between = (first * 0.5 + second * 0.5).astype(np.uint8)  # correlation with each about 0.7
    thumbnails, labels = np.stack([first, between]), np.zeros(2, dtype=np.int64)
    assert near_duplicate_share(thumbnails, labels, 0.5) == 1
    assert near_duplicate_share(thumbnails, labels, 0.9) == 0
