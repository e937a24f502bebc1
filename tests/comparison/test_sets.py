import math

import pandas as pd
import pytest

from retrieval_vs_diffusion.comparison.sets import sets

MEASURED = {
    "kid": 0.1,
    "diversity": 0.3,
    "near_duplicate_share": 0.02,
    "nearest_pool_mean": 0.8,
    "nearest_pool_max": 0.9,
    "copied_share": 0.0,
}


def repetition(draw: str | None, agreement: float | None = 0.9, **measured) -> dict:
    return {
        "images_added": 30 if draw else 0,
        "label_agreement": agreement,
        "agreement_by": None if agreement is None else "judge",
        "set": {"draw": draw, **MEASURED, **measured} if draw else None,
    }


def line(*repetitions: dict) -> dict:
    return sets([{"strategy": "prompts", "repetitions": list(repetitions)}]).iloc[0].to_dict()


def test_the_columns_are_exactly_these():
    assert sets([]).columns.tolist() == [
        *("strategy", "draws", "images_added", "label_agreement", "agreement_by"),
        *("kid", "kid_se", "diversity", "diversity_se", "near_duplicate_share"),
        *("nearest_pool_mean", "nearest_pool_max", "copied_share"),
    ]


def test_a_row_holds_means_over_draws_and_the_closest_of_all():
    row = line(
        repetition("repetition_0", kid=0.1, nearest_pool_max=0.95),
        repetition("repetition_1", kid=0.2, nearest_pool_max=0.9),
        repetition("repetition_2", kid=0.3, copied_share=0.3),
    )
    assert (row["draws"], row["images_added"], row["label_agreement"]) == (3, 30, pytest.approx(0.9))
    assert row["kid"] == pytest.approx(0.2)
    assert row["kid_se"] == pytest.approx(0.1 / math.sqrt(3))  # deviation 0.1, three draws
    assert (row["diversity"], row["diversity_se"]) == (pytest.approx(0.3), pytest.approx(0))
    assert row["copied_share"] == pytest.approx(0.1)  # of 0, 0 and 0.3
    assert row["nearest_pool_max"] == 0.95


def test_a_set_that_all_repetitions_share_counts_once():
    row = line(repetition("shared"), repetition("shared"))
    assert row["draws"] == 1
    assert math.isnan(row["kid_se"])


def test_a_strategy_that_adds_nothing_has_no_row():
    originals = {"strategy": "original_only", "repetitions": [repetition(None, agreement=None)]}
    assert sets([originals]).empty


def test_what_could_not_be_measured_is_left_empty(tmp_path):
    nothing = dict.fromkeys(MEASURED)
    row = line(repetition("repetition_0", agreement=None, **nothing), repetition("repetition_1", None, **nothing))
    assert all(math.isnan(row[name]) for name in (*MEASURED, "kid_se", "diversity_se", "label_agreement"))
    assert row["agreement_by"] == ""


def test_a_mean_is_of_what_could_be_measured():
    row = line(repetition("repetition_0", kid=None), repetition("repetition_1", kid=0.4))
    assert (row["kid"], math.isnan(row["kid_se"])) == (0.4, True)


def test_rows_keep_their_order_and_a_file_gives_them_back(tmp_path):
    rows = [{"strategy": name, "repetitions": [repetition("repetition_0")]} for name in ("b", "a")]
    table = sets(rows)
    table.to_csv(tmp_path / "sets.csv", index=False)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "sets.csv"), table, check_dtype=False)
    assert table["strategy"].tolist() == ["b", "a"]
