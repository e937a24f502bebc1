import pytest

from retrieval_vs_diffusion.comparison.standing import (
    beside_yardsticks,
    best_of_arm,
    notes_on,
    unjudged_arms,
    weakly_labelled,
)
from tests.comparison.answers import outcomes, result

PERFECT, POOR = outcomes("1111 1111"), outcomes("1000 1000")


def test_the_best_row_of_an_arm_is_chosen_by_validation_and_not_by_test():
    rows = [result("a", "retrieve", PERFECT, val=0.5), result("b", "retrieve", POOR, val=0.6)]
    assert best_of_arm(rows, "retrieve", 0.7) == "b"


def test_it_is_the_mean_over_repetitions_that_counts():
    steady, lucky = result("steady", "generate", POOR, val=0.6), result("lucky", "generate", POOR, val=0.5)
    lucky["repetitions"][0]["val_top1"] = 0.65  # (0.65 + 0.5) / 2 = 0.575
    assert best_of_arm([lucky, steady], "generate", 0.7) == "steady"


def test_of_equals_the_first_stands():
    rows = [result("b", "retrieve", POOR), result("a", "retrieve", PERFECT)]
    assert best_of_arm(rows, "retrieve", 0.7) == "b"


@pytest.mark.parametrize("arm", ["generate", "both", "neither"])
def test_a_row_of_another_arm_stands_for_nothing(arm):
    assert best_of_arm([result("a", arm, PERFECT)], "retrieve", 0.7) is None
    assert best_of_arm([], "retrieve", 0.7) is None


def test_a_row_whose_images_do_not_show_their_class_stands_for_nothing_and_is_marked():
    weak = result("weak", "generate", PERFECT, val=0.9, agreement=0.69)
    at_the_threshold = result("good", "generate", POOR, val=0.5, agreement=0.7)
    assert best_of_arm([weak, at_the_threshold], "generate", 0.7) == "good"
    assert weakly_labelled([weak, at_the_threshold], 0.7) == ["weak"]


def test_a_row_of_which_nobody_judged_the_images_may_stand():
    unknown = result("a", "retrieve", PERFECT, agreement=None)
    assert best_of_arm([unknown], "retrieve", 0.7) == "a"
    assert weakly_labelled([unknown], 0.7) == []


@pytest.mark.parametrize(
    ("right_on_val", "agreement", "weak"),
    [
        # A generator that is right in 85 % scores about 0.85 * 0.81 = 69 %; the bar is 0.7 * 0.81 = 56.7 %.
        (0.81, 0.69, False),
        (0.81, 0.57, False),
        (0.81, 0.56, True),
        # Of a CLIP that is right on 64 % of real images a perfect generator has 64 %; the bar is 0.7 * 0.64 = 44.8 %.
        (0.64, 0.64, False),
        (0.64, 0.44, True),
        (1.0, 0.69, True),  # a yardstick that is always right leaves the bar at 70 %
    ],
)
def test_agreement_is_read_against_what_the_yardstick_gives_real_images(right_on_val, agreement, weak):
    row = beside_yardsticks(result("a", "generate", PERFECT, agreement=agreement), {"judge": right_on_val})
    assert weakly_labelled([row], 0.7) == ["a"] * weak
    assert best_of_arm([row], "generate", 0.7) == (None if weak else "a")


def test_true_labels_are_always_right_whatever_the_judge_is():
    row = result("a", "retrieve", PERFECT, agreement=0.69)
    for each in row["repetitions"]:
        each["agreement_by"] = "true_labels"
    assert weakly_labelled([beside_yardsticks(row, {"judge": 0.5})], 0.7) == ["a"]
    assert "agreement_on_val" not in row["repetitions"][0]  # what came in is as it was


def test_where_repetitions_were_measured_by_several_yardsticks_the_bar_is_their_mean():
    # One repetition found all in the pool, of known labels; the other generated some, which the judge measured.
    row = result("a", "both", PERFECT, agreement=0.6)
    row["repetitions"][0]["agreement_by"] = "true_labels"
    assert weakly_labelled([beside_yardsticks(row, {"judge": 0.7})], 0.7) == []  # 0.7 * (1 + 0.7) / 2 = 59.5 %
    assert weakly_labelled([beside_yardsticks(row, {"judge": 0.8})], 0.7) == ["a"]  # 0.7 * (1 + 0.8) / 2 = 63 %
    row["repetitions"][0] |= {"label_agreement": None, "agreement_by": None}  # of no images nothing is said
    assert weakly_labelled([beside_yardsticks(row, {"judge": 0.8})], 0.7) == []  # 0.7 * 0.8 = 56 %


def test_arms_of_which_no_row_was_judged_are_told_apart():
    rows = [
        result("text", "retrieve", POOR, agreement=None),
        result("image", "retrieve", POOR, agreement=None),
        result("prompts", "generate", POOR, agreement=0.1),
        result("selected", "generate", POOR, agreement=None),
    ]
    assert unjudged_arms(rows) == {"retrieve"}
    assert unjudged_arms(rows[2:]) == unjudged_arms([]) == set()


def test_a_row_with_a_classifier_of_its_own_stands_for_nothing_and_is_noted():
    probe = result("probe", "retrieve", PERFECT, val=0.9, own_recipe=["features"])
    plain = result("plain", "retrieve", POOR)
    assert best_of_arm([probe, plain], "retrieve", 0.7) == "plain"
    assert notes_on(plain) == []
    assert notes_on(probe) == [
        "probe: its classifier is trained by a recipe of its own (features), which alone may make the difference to "
        "other rows"
    ]


def test_a_row_that_diverged_stands_for_nothing_and_is_noted():
    broken, whole = result("words", "generate", PERFECT, val=0.9), result("whole", "generate", POOR)
    broken["repetitions"][1]["diverged"] = 'class "zero", step 3'
    assert best_of_arm([broken, whole], "generate", 0.7) == "whole"
    assert notes_on(broken) == [
        'words: its personalisation diverged (repetition 1, class "zero", step 3); the last good state was used, '
        "and the row stands for nothing in the sentence"
    ]


def test_images_that_could_not_be_brought_are_noted_after_the_last_step_alone():
    row = result("both", "both", POOR)
    first, last = {"zero": {"short_by": 9}}, {"zero": {"short_by": 4}, "one": {"short_by": 1}}
    row["repetitions"][0]["ledger"] = [first, last]
    row["repetitions"][1]["ledger"] = [first, {"zero": {"short_by": 0}}]
    # 10 and 11 were added, 5 and 0 are missing
    assert notes_on(row) == ["both: 5 of 26 images could not be brought, all repetitions together"]
