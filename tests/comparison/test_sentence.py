import math

import pandas as pd
import pytest

from retrieval_vs_diffusion.comparison.real_images import RealImages
from retrieval_vs_diffusion.comparison.sentence import (
    as_words,
    exclusion_sentence,
    family_sentence,
    verdict_sentence,
    worth_sentence,
)
from retrieval_vs_diffusion.comparison.verdicts import COLUMNS

BEST = {"retrieve": "text", "generate": "prompts"}
ACCURACIES = {"text": 0.71, "prompts": 0.6}


def pair(verdict: str, difference: float = 0.11, **changes) -> pd.DataFrame:
    """The comparison of the arms' best rows, among others."""
    figures = {"difference": difference, "low": difference - 0.025, "high": difference + 0.025}
    known = {"repetitions": 5, **figures, "p_value": 0.01, "p_adjusted": 0.03, "verdict": verdict, **changes}
    others = [("text", "original_only"), ("prompts", "original_only")]
    rows = [{**dict.fromkeys(COLUMNS), "first": first, "second": second, **known} for first, second in others]
    return pd.DataFrame([*rows, {"first": "text", "second": "prompts", **known}], columns=list(COLUMNS))


def said(comparisons: pd.DataFrame, best: dict = BEST) -> str:
    return verdict_sentence(best, comparisons, ACCURACIES, test_images=40)


def test_a_clear_difference_is_told_with_its_interval_and_what_it_rests_on():
    assert said(pair("better")) == (
        "Retrieval (text, 71.0 %) helped more than generation (prompts, 60.0 %), "
        "by 11.0 points (95 % interval 8.5 to 13.5; 5 repetitions, 40 test images)."
    )


def test_the_other_way_round_it_is_generation_that_helped_and_the_interval_is_turned():
    assert said(pair("worse", -0.11)) == (
        "Generation (prompts, 60.0 %) helped more than retrieval (text, 71.0 %), "
        "by 11.0 points (95 % interval 8.5 to 13.5; 5 repetitions, 40 test images)."
    )


def test_what_is_too_close_to_call_is_called_so():
    assert said(pair("too close to call", -0.01, p_value=0.4, p_adjusted=0.8)) == (
        "Too close to call: retrieval (text, 71.0 %) and generation (prompts, 60.0 %) differ by 1.0 points "
        "(95 % interval of retrieval minus generation -3.5 to 1.5; 5 repetitions, 40 test images)."
    )


def test_an_interval_without_zero_that_the_family_takes_back_is_explained():
    close = said(pair("too close to call", p_value=0.03, p_adjusted=0.12))
    assert close.startswith("Too close to call:")
    assert close.endswith("test images), which is not enough where so many rows are compared.")


def test_rows_that_are_right_on_the_same_images_are_said_to_be():
    alike = pair("too close to call", 0.0, low=math.nan, high=math.nan, p_value=1.0, p_adjusted=1.0)
    assert said(alike).startswith("Too close to call: retrieval (text, 71.0 %) and generation (prompts, 60.0 %) are")
    assert "nan" not in said(alike)


@pytest.mark.parametrize(("repetitions", "words"), [(1, "1 repetition is"), (4, "4 repetitions are")])
def test_under_five_repetitions_there_is_no_verdict(repetitions, words):
    assert said(pair("no verdict", repetitions=repetitions)) == (
        f"No verdict, {words} too few (5 are needed): "
        "retrieval (text, 71.0 %) and generation (prompts, 60.0 %) differ by 11.0 points."
    )


def test_where_every_image_tells_the_same_it_is_not_said_that_repetitions_are_too_few():
    told = said(pair("no verdict", difference=1.0, p_value=math.nan))
    assert told.startswith("No verdict, they differ by the same on each of so few test images, which is too little to")
    assert "repetitions" not in told


@pytest.mark.parametrize(
    ("missing", "says", "alone"),
    [
        ("retrieve", "retrieves", "generation (prompts, 60.0 %)"),
        ("generate", "generates", "retrieval (text, 71.0 %)"),
    ],
)
def test_a_missing_arm_is_named_and_the_other_compared_with_the_baseline(missing, says, alone):
    told = said(pair("better"), {**BEST, missing: None})
    assert told.startswith(
        f"No row here {says} images that show their class, so retrieval and generation cannot be compared; {alone} "
    )
    assert "original_only" in told
    nothing = said(pair("better").iloc[:0], {**BEST, missing: None})
    assert nothing.endswith("cannot be compared yet.")


def test_of_an_arm_that_nobody_asked_for_nothing_is_said_of_its_images():
    told = verdict_sentence({**BEST, "generate": None}, pair("better"), ACCURACIES, 40, arms={"retrieve"})
    assert told.startswith("No row here generates images, so retrieval and generation cannot be compared; retrieval")


def test_that_one_arm_alone_could_be_left_out_is_said_where_it_was():
    without = {**BEST, "generate": None}
    assert exclusion_sentence(without, {"generate"}, {"retrieve"}) == (
        "Only rows that generate could be left out so: nothing here tells whether retrieved images show their class."
    )
    assert exclusion_sentence({**BEST, "retrieve": None}, {"retrieve"}, {"generate"}) == (
        "Only rows that retrieve could be left out so: nothing here tells whether generated images show their class."
    )
    assert exclusion_sentence(without, {"generate"}, {"neither"}) == ""  # the other was judged, too
    assert exclusion_sentence(without, set(), {"retrieve"}) == ""  # it is missing, or diverged
    assert exclusion_sentence(BEST, {"generate"}, {"retrieve"}) == ""  # another row stands for the arm


def test_an_interval_that_holds_everything_tells_nothing():
    anything = RealImages(math.inf, -math.inf, math.inf, least=-5, most=35)
    assert worth_sentence(BEST, {"text": anything, "prompts": worth(9)}) == (
        "Beside the originals, generation (prompts) is worth 9 (7 to 12) more real images a class. "
        "What retrieval (text) is worth in real images cannot be told: its interval holds every size of the curve."
    )
    assert anything.in_words() == "cannot be told"


def worth(more: float, low: float = 7.0, high: float = 12.0) -> RealImages:
    return RealImages(more, low, high, least=-5, most=35)


def test_both_rows_are_told_in_real_images():
    assert worth_sentence(BEST, {"text": worth(9), "prompts": worth(math.inf, 30, math.inf)}) == (
        "Beside the originals, retrieval (text) is worth 9 (7 to 12) more real images a class, "
        "generation (prompts) is worth more than 35 (30 or more) more real images a class."
    )


def test_below_the_curve_it_is_said_to_be_less_than_can_be_told():
    assert worth_sentence(BEST, {"text": worth(-math.inf, -math.inf, -math.inf)}) == (
        "Beside the originals, retrieval (text) is worth less than the size curve can tell."
    )


def test_without_a_curve_or_a_row_nothing_is_said_of_real_images():
    assert worth_sentence(BEST, {}) == ""
    assert worth_sentence({"retrieve": None, "generate": None}, {"text": worth(9)}) == ""


def against_the_baseline(*found: str) -> pd.DataFrame:
    rows = [{"first": str(number), "second": "original_only", "verdict": each} for number, each in enumerate(found)]
    return pd.DataFrame([*rows, {"first": "text", "second": "prompts", "verdict": "better"}])


def test_rows_are_counted_by_how_they_stand_to_the_baseline():
    close = "too close to call"
    assert family_sentence(against_the_baseline("better", "worse", close, close), "original_only") == (
        "Of 4 rows 1 is better than original_only, 1 worse and 2 too close to call, after Holm's correction over "
        "the 5 comparisons of this table."  # the arms' best rows are the fifth
    )


def test_where_all_rows_are_better_it_says_so_in_a_word():
    said = family_sentence(against_the_baseline("better", "better"), "original_only")
    assert said.startswith("All 2 rows are better than original_only, after Holm's correction over the 3 comparisons")


def test_rows_without_a_verdict_are_not_counted_as_too_close():
    assert "2 are better than original_only, 0 worse and 0 too close to call, 1 without a verdict, after Holm" in (
        family_sentence(against_the_baseline("better", "better", "no verdict"), "original_only")
    )


def test_where_no_row_has_a_verdict_nothing_is_said_of_the_family():
    assert family_sentence(against_the_baseline("no verdict"), "original_only") == ""
    assert family_sentence(against_the_baseline(), "original_only") == ""


def test_the_sentences_that_say_something_come_in_order():
    assert as_words({"sentence": "a", "worth": "", "family": "c"}) == ["a", "c"]
