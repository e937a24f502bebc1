import math

import numpy as np
import pytest

from retrieval_vs_diffusion.comparison.accuracy import standard_error, top_k_accuracy

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.5, 0.4, 0.1], [0.2, 0.3, 0.5]])


def test_top_one_is_the_share_whose_most_probable_class_is_right():
    assert top_k_accuracy(PROBABILITIES, np.array([0, 2, 1, 0])) == 0.5  # two of four: the first two


def test_top_two_also_counts_the_second_most_probable():
    assert top_k_accuracy(PROBABILITIES, np.array([0, 2, 1, 0]), k=2) == 0.75  # 1 is second in the third, 0 third


def test_with_as_many_guesses_as_classes_everything_is_right():
    assert top_k_accuracy(PROBABILITIES, np.array([2, 0, 2, 0]), k=3) == 1.0


def test_of_equal_probabilities_the_first_class_is_taken():
    even = np.full((2, 4), 0.25)
    assert top_k_accuracy(even, np.array([0, 3])) == 0.5  # always class 0


def test_the_standard_error_divides_by_one_less_and_by_the_root_of_the_number():
    # mean 0.5; squares 0.01 + 0 + 0.01 = 0.02; / (3 - 1) = 0.01; root 0.1; / root 3
    assert standard_error(np.array([0.4, 0.5, 0.6])) == pytest.approx(0.1 / math.sqrt(3))


def test_one_repetition_has_no_standard_error_and_equal_ones_have_none_of_it():
    assert math.isnan(standard_error(np.array([0.5])))
    assert standard_error(np.array([0.5, 0.5])) == 0
