import math

import pytest

from retrieval_vs_diffusion.comparison.leaderboard import leaderboard, summary


def row(strategy: str, arm: str, *top1: float, val: float = 0.5, agreement: float | None = 0.9) -> dict:
    """A strategy's results with one repetition for each accuracy."""
    seconds = {"personalise": 1.0, "bring_images": 2.0, "train": 4.0}
    return {
        "strategy": strategy,
        "arm": arm,
        "repetitions": [
            {
                "repetition": number,
                "top1": accuracy,
                "val_top1": val,
                "images_added": 10 + number,
                "label_agreement": agreement,
                "agreement_by": None if agreement is None else "judge",
                "seconds": seconds,
            }
            for number, accuracy in enumerate(top1)
        ],
    }


ORIGINALS = row("original_only", "neither", 0.5, 0.6, agreement=None)


def sentence(*results: dict) -> str:
    return summary(results, low_label_agreement=0.7)["sentence"]


def test_the_columns_are_exactly_these():
    assert leaderboard([ORIGINALS]).columns.tolist() == [
        *("strategy", "repetitions", "top1_mean", "top1_se"),
        *("images_added", "label_agreement", "agreement_by", "seconds"),
    ]


def test_a_row_holds_means_over_repetitions():
    board = leaderboard([row("prompts", "generate", 0.4, 0.5, 0.6)])
    (line,) = board.to_dict("records")
    assert (line["strategy"], line["repetitions"]) == ("prompts", 3)
    assert line["top1_mean"] == pytest.approx(0.5)
    assert line["top1_se"] == pytest.approx(0.1 / math.sqrt(3))  # deviation 0.1, three repetitions
    assert line["images_added"] == 11  # of 10, 11 and 12
    assert (line["label_agreement"], line["agreement_by"]) == (pytest.approx(0.9), "judge")
    assert line["seconds"] == 7.0  # 1 + 2 + 4


def test_what_is_not_known_is_left_empty():
    line = leaderboard([row("original_only", "neither", 0.5, agreement=None)]).iloc[0]
    assert math.isnan(line["top1_se"])
    assert math.isnan(line["label_agreement"])
    assert line["agreement_by"] == ""


def test_rows_keep_their_order():
    board = leaderboard([ORIGINALS, row("b", "generate", 0.1), row("a", "retrieve", 0.9)])
    assert board["strategy"].tolist() == ["original_only", "b", "a"]


def test_a_clear_difference_is_told_with_its_uncertainty():
    # differences 0.10, 0.12, 0.11: mean 0.11, deviation 0.01, error 0.01 / root 3 = 0.00577;
    # Student's t for 3 pairs is 4.303, so the margin is 0.0248: 0.085 to 0.135
    said = sentence(row("text", "retrieve", 0.60, 0.72, 0.81), row("prompts", "generate", 0.50, 0.60, 0.70))
    assert said == (
        "Retrieval (text, 71.0 %) helped more than generation (prompts, 60.0 %), "
        "by 11.0 points (95 % interval 8.5 to 13.5, 3 paired repetitions)."
    )


def test_the_other_way_round_it_is_generation_that_helped():
    said = sentence(row("text", "retrieve", 0.50, 0.60, 0.70), row("prompts", "generate", 0.60, 0.72, 0.81))
    assert said.startswith("Generation (prompts, 71.0 %) helped more than retrieval (text, 60.0 %), by 11.0 points")


def test_a_difference_whose_interval_holds_zero_is_too_close_to_call():
    # differences 0.1, -0.1, 0.03: mean 0.01; squares 0.0206 / 2 = 0.0103; root 0.1015; / root 3 = 0.0586
    said = sentence(row("text", "retrieve", 0.6, 0.5, 0.53), row("prompts", "generate", 0.5, 0.6, 0.5))
    assert said.startswith("Too close to call: retrieval (text, 54.3 %) and generation (prompts, 53.3 %) differ by 1.0")
    # 4.303 * 0.0586 = 0.252: 0.01 - 0.252 to 0.01 + 0.252
    assert said.endswith("(95 % interval of retrieval minus generation -24.2 to 26.2, 3 paired repetitions).")


def test_two_arms_that_are_always_equal_are_too_close_to_call():
    said = sentence(row("text", "retrieve", 0.6, 0.6), row("prompts", "generate", 0.6, 0.6))
    assert said.startswith("Too close to call")


def test_repetitions_are_compared_in_pairs():
    retrieved, generated = row("text", "retrieve", 0.1, 0.9, 0.5), row("prompts", "generate", 0.05, 0.84, 0.46)
    retrieved["repetitions"].reverse()  # 0.05, 0.06 and 0.04 better each, though repetitions differ by 0.8
    assert sentence(retrieved, generated).startswith("Retrieval (text, 50.0 %) helped more")


def test_one_repetition_is_too_few():
    said = sentence(row("text", "retrieve", 0.6), row("prompts", "generate", 0.5))
    assert said == (
        "One repetition is too few to tell retrieval (text, 60.0 %) from generation (prompts, 50.0 %): "
        "they differ by 10.0 points."
    )


def test_the_best_row_of_an_arm_is_chosen_by_validation_and_not_by_test():
    retrieved = [row("a", "retrieve", 0.9, 0.9, val=0.5), row("b", "retrieve", 0.7, 0.7, val=0.6)]
    assert "retrieval (b, 70.0 %)" in sentence(*retrieved, row("prompts", "generate", 0.7, 0.6)).lower()


@pytest.mark.parametrize(
    ("arm", "missing"),
    [("generate", "retrieves images that show their class"), ("retrieve", "generates images that show their class")],
)
def test_a_missing_arm_is_named(arm, missing):
    expected = f"No row here {missing}, so retrieval and generation cannot be compared yet."
    assert sentence(ORIGINALS, row("a", arm, 0.6, 0.7)) == expected


def test_a_row_that_is_of_both_arms_stands_for_neither():
    assert sentence(row("a", "both", 0.6, 0.7), row("b", "generate", 0.6, 0.7)).startswith("No row here retrieves")


def test_rows_below_the_threshold_are_marked_and_those_at_it_are_not():
    rows = [row("a", "retrieve", 0.6, agreement=0.69), row("b", "generate", 0.6, agreement=0.7), ORIGINALS]
    said = summary(rows, low_label_agreement=0.7)
    assert said["low_label_agreement"] == ["a"]  # 0.69 < 0.7; without images there is nothing to mark
    assert said["threshold"] == 0.7


def test_a_row_whose_images_do_not_show_their_class_never_stands_for_its_arm():
    weak = row("weak", "generate", 0.9, 0.9, val=0.9, agreement=0.4)
    good = row("good", "generate", 0.5, 0.6, val=0.5, agreement=0.95)
    said = sentence(row("text", "retrieve", 0.7, 0.6), weak, good)
    assert "good" in said
    assert "weak" not in said


def test_what_went_wrong_with_a_row_is_said():
    whole, broken = row("boomerang", "generate", 0.5, 0.6), row("da_fusion", "generate", 0.5, 0.6)
    broken["repetitions"][1] |= {"diverged": 'class "zero", step 3', "ledger": {"asked": 20, "short_by": 4}}
    broken["repetitions"][0] |= {"diverged": None, "ledger": {"asked": 20, "short_by": 1}}
    assert summary([whole], 0.7)["notes"] == []
    assert summary([whole, broken], 0.7)["notes"] == [
        'da_fusion: its personalisation diverged (repetition 1, class "zero", step 3); the last good state was used, '
        "and the row stands for nothing in the sentence",
        "da_fusion: 5 of 40 images could not be brought, all repetitions together",
    ]


def test_a_row_with_a_classifier_of_its_own_or_that_diverged_stands_for_nothing_in_the_sentence():
    generated, retrieved = row("prompt", "generate", 0.5, 0.6), row("text", "retrieve", 0.5, 0.62)
    probe = {**row("probe", "retrieve", 0.9, 0.9, val=0.99), "own_recipe": ["features"]}
    broken = row("words", "generate", 0.9, 0.9, val=0.99)
    broken["repetitions"][0]["diverged"] = 'class "zero", step 3'
    said = summary([generated, retrieved, probe, broken], 0.7)
    assert said["sentence"] == sentence(generated, retrieved)
    assert said["notes"][0].startswith("probe: its classifier is trained by a recipe of its own (features)")


def test_differences_that_are_alike_are_no_certainty():
    # 2.0 points in both repetitions: the standard error is zero, and two repetitions show nothing by that
    said = sentence(row("prompt", "generate", 0.5, 0.6), row("text", "retrieve", 0.52, 0.62))
    assert said.startswith("2 repetitions that differ alike are too few to tell retrieval (text, 57.0 %)")
