import math

import numpy as np
import pytest

from retrieval_vs_diffusion.comparison.outcomes import Outcomes
from retrieval_vs_diffusion.comparison.per_class import COLUMNS, confusion, per_class

NAMES = ["red", "green", "blue"]
LABELS = [0, 0, 1, 1, 1]  # two red images and three green ones; no blue one


def predicted(*repetitions: list[int]) -> Outcomes:
    ids = tuple(map(str, range(len(LABELS))))
    return Outcomes(tuple(range(len(repetitions))), ids, np.array(LABELS), np.array(repetitions))


ROWS = {
    "original_only": predicted([0, 1, 1, 0, 0], [0, 0, 1, 0, 0]),
    "text": predicted([0, 0, 1, 1, 2], [0, 1, 1, 1, 2]),
}


def test_each_class_has_the_share_of_its_images_that_are_right_in_all_repetitions():
    table = per_class(ROWS, NAMES)
    assert table.columns.tolist() == list(COLUMNS)
    found = table.set_index(["strategy", "class"])
    assert found["top1_mean"].to_dict() == pytest.approx(
        {
            ("original_only", "red"): 3 / 4,  # 1 and 2 of 2
            ("original_only", "green"): 2 / 6,  # 1 and 1 of 3
            ("text", "red"): 3 / 4,  # 2 and 1
            ("text", "green"): 4 / 6,  # 2 and 2
        }
    )
    assert found["test_images"].tolist() == [2, 3, 2, 3]
    assert found["gain"].tolist() == pytest.approx([0, 0, 0, 2 / 6])


def test_the_highest_of_each_class_is_marked_and_all_of_them_where_several_are():
    table = per_class(ROWS, NAMES)
    assert table.loc[table["class"] == "red", "best"].tolist() == [True, True]
    assert table.loc[table["class"] == "green", "best"].tolist() == [False, True]


def test_a_class_without_test_images_has_no_row():
    assert "blue" not in set(per_class(ROWS, NAMES)["class"])


def test_without_a_baseline_no_gain_is_known():
    assert all(math.isnan(gain) for gain in per_class({"text": ROWS["text"]}, NAMES)["gain"])


def test_of_no_rows_it_is_an_empty_table():
    assert per_class({}, NAMES).columns.tolist() == list(COLUMNS)


def test_the_confusion_is_a_share_of_each_classs_images():
    matrix = confusion(ROWS["text"], 3)
    assert matrix == pytest.approx(
        np.array(
            [
                [3 / 4, 1 / 4, 0],  # of four answers to red images one was green
                [0, 4 / 6, 2 / 6],  # of six to green ones two were blue
                [0, 0, 0],  # there is no blue image
            ]
        )
    )
