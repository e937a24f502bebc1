import numpy as np
import pandas as pd
import pytest

from retrieval_vs_diffusion.comparison.outcomes import Outcomes, outcomes_table, paired
from tests.comparison.answers import outcomes, table


def predictions(ids: list[str], labels: list[int], *probabilities: tuple[float, ...]) -> pd.DataFrame:
    """As ``predict_test`` makes them."""
    about = pd.DataFrame({"image_id": ids, "label": labels})
    return pd.concat([about, pd.DataFrame(probabilities, columns=["red", "green", "blue"])], axis=1)


def test_the_predicted_class_is_the_most_probable_one():
    frame = predictions(["a", "b"], [2, 0], (0.2, 0.3, 0.5), (0.1, 0.6, 0.3))
    made = outcomes_table({4: frame})
    assert made.to_dict("list") == {
        "repetition": [4, 4],
        "image_id": ["a", "b"],
        "label": [2, 0],
        "predicted": [2, 1],
    }


def test_repetitions_and_images_come_in_order_whatever_theirs_was():
    first = predictions(["b", "a"], [1, 0], (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    second = predictions(["a", "b"], [0, 1], (1.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    read = Outcomes.from_table(outcomes_table({10: second, 2: first}))
    assert (read.repetitions, read.image_ids, read.labels.tolist()) == ((2, 10), ("a", "b"), [0, 1])
    assert read.predicted.tolist() == [[2, 1], [0, 0]]  # repetition 2: a is taken for 2, b is right
    assert read.correct.tolist() == [[False, True], [True, False]]


def test_what_was_written_is_read_again():
    made = outcomes("110 010")
    again = Outcomes.from_table(table(made))
    assert (again.repetitions, again.image_ids) == (made.repetitions, made.image_ids)
    assert np.array_equal(again.correct, made.correct)


def test_repetitions_that_saw_other_images_cannot_be_read_as_one():
    one, other = predictions(["a"], [0], (1.0, 0.0, 0.0)), predictions(["b"], [0], (1.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="repetitions were tested on other images"):
        Outcomes.from_table(outcomes_table({0: one, 1: other}))


def test_differences_are_of_each_image_in_each_repetition():
    # both right, first alone, second alone, both wrong
    assert paired(outcomes("1100 1010"), outcomes("1010 1100")).tolist() == [[0, 1, -1, 0], [0, -1, 1, 0]]


def test_only_repetitions_that_both_have_are_compared_and_each_with_its_own():
    first, second = outcomes("11 00 10", [0, 1, 2]), outcomes("01 00", [2, 1])
    # repetition 1: 00 - 00; repetition 2: 10 - 01
    assert paired(first, second).tolist() == [[0, 0], [1, -1]]


def test_rows_that_were_tested_on_other_images_cannot_be_compared():
    with pytest.raises(ValueError, match="the rows were tested on other images"):
        paired(outcomes("11"), outcomes("111"))
