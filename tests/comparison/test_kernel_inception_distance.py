import numpy as np
import pytest

from retrieval_vs_diffusion.comparison import kernel_inception_distance as module
from retrieval_vs_diffusion.comparison.kernel_inception_distance import kernel_inception_distance


def around(centre: int, count: int, seed: int, width: int = 16) -> np.ndarray:
    """Unit vectors scattered around one axis."""
    vectors = np.random.default_rng(seed).normal(0, 0.2, (count, width))
    vectors[:, centre] += 1
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_a_distance_by_hand():
    first, second = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)[[0, 0]]
    # within first: the 3 axes, cosine 0 in every pair: (0 + 1)^3 = 1
    # within second: one axis twice, cosine 1: (1 + 1)^3 = 8
    # across: of 3 * 2 pairs 2 have cosine 1 and 4 have cosine 0: (2 * 8 + 4 * 1) / 6 = 20 / 6
    assert kernel_inception_distance(first, second) == pytest.approx(1 + 8 - 2 * 20 / 6)  # 2.333


def test_it_is_the_papers_kernel_on_vectors_whose_coordinates_are_about_one():
    first, second = around(0, 3, seed=0), around(1, 4, seed=1)
    x, y, d = first * np.sqrt(16), second * np.sqrt(16), 16

    def kernel(one: np.ndarray, other: np.ndarray) -> float:
        return (float(one @ other) / d + 1) ** 3

    within_x = np.mean([kernel(x[i], x[j]) for i in range(3) for j in range(3) if i != j])
    within_y = np.mean([kernel(y[i], y[j]) for i in range(4) for j in range(4) if i != j])
    across = np.mean([kernel(each, other) for each in x for other in y])
    assert kernel_inception_distance(first, second) == pytest.approx(within_x + within_y - 2 * across, abs=1e-6)


def test_two_halves_of_one_set_are_near_zero_on_either_side_of_it():
    halves = [around(0, 60, seed) for seed in range(40)]
    distances = [kernel_inception_distance(*np.split(each, 2)) for each in halves]
    assert min(distances) < 0 < max(distances)  # unbiased: no set is compared with itself
    assert abs(np.mean(distances)) < 3 * np.std(distances) / np.sqrt(40)


def test_sets_that_differ_are_clearly_apart():
    # Two vectors around one axis have the cosine 1 / (1 + 15 * 0.2^2) = 0.625, around two axes 0:
    # 2 * (0.625 + 1)^3 - 2 * (0 + 1)^3 = 6.58
    assert kernel_inception_distance(around(0, 60, 0), around(1, 60, 1)) == pytest.approx(6.58, rel=0.1)


def test_it_does_not_grow_with_the_model():
    wide = np.zeros((30, 512), np.float32)
    wide[:, :16] = around(0, 30, seed=0)
    other = np.zeros((30, 512), np.float32)
    other[:, :16] = around(1, 30, seed=1)
    narrow = kernel_inception_distance(wide[:, :16], other[:, :16])
    assert kernel_inception_distance(wide, other) == pytest.approx(narrow)


def test_blocks_do_not_change_it(monkeypatch):
    first, second = around(0, 50, seed=0), around(0, 31, seed=1)
    whole = kernel_inception_distance(first, second)
    monkeypatch.setattr(module, "_BLOCK", 7)
    assert kernel_inception_distance(first, second) == pytest.approx(whole, abs=1e-9)


def test_of_large_sets_as_many_are_drawn_the_same_ones_each_time():
    first, second = around(0, 400, seed=0), around(0, 400, seed=1)
    drawn = kernel_inception_distance(first, second, at_most=50)
    assert drawn == kernel_inception_distance(first, second, at_most=50)
    assert drawn != kernel_inception_distance(first, second, at_most=50, seed=1)
    assert abs(drawn) < 0.2  # of one source still


def test_one_image_has_no_pairs():
    assert kernel_inception_distance(around(0, 1, 0), around(0, 5, 1)) is None
    assert kernel_inception_distance(around(0, 5, 0), around(0, 1, 1)) is None
