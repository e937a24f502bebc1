import numpy as np
import pytest

from retrieval_vs_diffusion.models.unit_vectors import unit_vectors

DIRECTION = np.array([0.6, 0.8], dtype=np.float32)


def test_unit_vectors_stay_as_they_are_bit_for_bit():
    vectors = np.stack([DIRECTION, DIRECTION * np.float32(1.0005)])  # off by less than 1e-3
    made, broken = unit_vectors(vectors)
    assert np.array_equal(made, vectors)
    assert broken == 0


@pytest.mark.parametrize("length", [1e-4, 0.99, 1.002, 25.0, 1e19])
def test_other_lengths_become_one(length):
    made, broken = unit_vectors(np.stack([DIRECTION * length, DIRECTION]))
    assert made == pytest.approx(np.stack([DIRECTION, DIRECTION]), abs=1e-6)
    assert broken == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
def test_what_has_no_direction_becomes_zeros_and_is_counted(value):
    vectors = np.array([[value, 0.0], DIRECTION, [value, value]], dtype=np.float32)
    made, broken = unit_vectors(vectors)
    assert made.tolist() == [[0, 0], DIRECTION.tolist(), [0, 0]]
    assert broken == 2
    assert vectors[1].tolist() == DIRECTION.tolist()
    assert np.array_equal(vectors[0, 0], value, equal_nan=True)  # the argument is left alone


def test_half_and_double_precision_become_single():
    for kind in (np.float16, np.float64):
        made, _ = unit_vectors(np.array([[3, 4]], dtype=kind))
        assert made.dtype == np.float32
        assert made[0] == pytest.approx(DIRECTION)
