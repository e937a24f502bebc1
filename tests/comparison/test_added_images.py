import pandas as pd
import pytest

from retrieval_vs_diffusion.comparison.added_images import COLUMNS, added_images_table
from retrieval_vs_diffusion.comparison.intervals import accuracy_interval
from tests.comparison.answers import outcomes, table

VARIANTS = [
    {"variant": "text__few", "strategy": "text", "times_originals": 0.5, "added_share": 0.5},
    {"variant": "text__many", "strategy": "text", "times_originals": 6.0, "added_share": 0.25},
    {"variant": "prompts__few", "strategy": "prompts", "times_originals": 0.5, "added_share": 0.5},
]


def side(variant: str, right: str, added: list[int], val: list[float]) -> pd.DataFrame:
    made = table(outcomes(right), variant=variant, originals=4)
    by_repetition = [made["repetition"].map(dict(enumerate(values))) for values in (added, val)]
    return made.assign(added=by_repetition[0], val_top1=by_repetition[1])


OUTCOMES = {
    "outcomes_of_text": pd.concat(
        [side("text__few", "1000 1100", [2, 2], [0.5, 0.7]), side("text__many", "1111 0111", [24, 20], [0.8, 0.9])]
    ),
    "outcomes_of_prompts": side("prompts__few", "0000 0010", [2, 2], [0.1, 0.2]),
}
PROTOCOLS = {"text": "abc", "prompts": "def"}


def test_each_variant_has_a_row_with_its_own_figures():
    made = added_images_table(VARIANTS, PROTOCOLS, OUTCOMES)
    assert made.columns.tolist() == list(COLUMNS)
    assert made["strategy"].tolist() == ["text", "text", "prompts"]
    assert made["times_originals"].tolist() == [0.5, 6.0, 0.5]
    assert made["added_share"].tolist() == [0.5, 0.25, 0.5]
    assert made["top1_mean"].tolist() == [3 / 8, 7 / 8, 1 / 8]  # of two repetitions with four images each
    assert made["images_added"].tolist() == [2, 22, 2]  # 24 and 20: the source had no more
    assert made["val_top1_mean"].tolist() == pytest.approx([0.6, 0.85, 0.15])
    assert made["repetitions"].tolist() == [2, 2, 2]
    assert made["protocol"].tolist() == ["abc", "abc", "def"]


def test_an_accuracy_has_its_interval_over_repetitions_and_images():
    made = added_images_table(VARIANTS, PROTOCOLS, OUTCOMES)
    interval = accuracy_interval(outcomes("1111 0111").correct)
    assert (made["top1_low"][1], made["top1_high"][1]) == (interval.low, interval.high)
    assert made["top1_low"].between(0, made["top1_mean"]).all()
    assert made["top1_high"].between(made["top1_mean"], 1).all()


def test_of_no_variants_it_is_an_empty_table():
    assert added_images_table([], {}, {}).columns.tolist() == list(COLUMNS)
