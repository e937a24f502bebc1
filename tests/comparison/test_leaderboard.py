import math

import pytest

from retrieval_vs_diffusion.comparison.intervals import accuracy_interval
from retrieval_vs_diffusion.comparison.leaderboard import label_agreement, leaderboard
from retrieval_vs_diffusion.comparison.real_images import RealImages
from retrieval_vs_diffusion.comparison.verdicts import compare_pairs
from tests.comparison.answers import outcomes, result

BASELINE, TEXT = outcomes("11000 10100 11010 10010 11100"), outcomes("11100 11100 11110 11010 11101")
OUTCOMES = {"original_only": BASELINE, "text": TEXT}
RESULTS = {
    "original_only": result("original_only", "neither", BASELINE, agreement=None),
    "text": result("text", "retrieve", TEXT, val=0.75),
}
WORTH = {"text": RealImages(9.0, 7.0, math.inf, least=-5, most=35)}


def board(results=RESULTS):
    comparisons = compare_pairs([("text", "original_only")], OUTCOMES)
    return leaderboard(results, OUTCOMES, comparisons, WORTH), comparisons


def test_the_columns_are_exactly_these():
    assert board()[0].columns.tolist() == [
        *("strategy", "repetitions", "top1_mean", "top1_se"),
        *("images_added", "label_agreement", "agreement_by", "seconds"),
        *("top1_low", "top1_high", "val_top1_mean", "gain", "gain_low", "gain_high", "verdict"),
        *("real_images", "real_images_low", "real_images_high", "worth"),
        *("bootstrap_low", "bootstrap_high"),
    ]


def test_a_row_holds_means_over_repetitions():
    line = board()[0].iloc[1]
    assert (line["strategy"], line["repetitions"]) == ("text", 5)
    assert line["top1_mean"] == pytest.approx(0.68)  # 3, 3, 4, 3 and 4 of 5
    # Deviations -0.08 three times and 0.12 twice: sqrt(0.048 / 4) / sqrt(5)
    assert line["top1_se"] == pytest.approx(math.sqrt(0.012) / math.sqrt(5))
    assert line["images_added"] == 12  # of 10 to 14
    assert (line["label_agreement"], line["agreement_by"]) == (pytest.approx(0.9), "judge")
    assert line["seconds"] == 7.5  # 1 + 2 + 0.5 + 4
    assert line["val_top1_mean"] == 0.75


def test_an_accuracy_has_an_interval_over_repetitions_and_images():
    line, interval = board()[0].iloc[1], accuracy_interval(TEXT.correct)
    assert (line["top1_low"], line["top1_high"]) == (interval.low, interval.high)
    assert 0 <= interval.low < 0.68 < interval.high <= 1
    # The bootstrap's stands beside it: every draw is a mean of cells, between the worst and the best.
    assert interval.low < line["bootstrap_low"] < 0.68 < line["bootstrap_high"] <= 1


def test_a_gain_is_the_comparison_with_the_baseline():
    table, comparisons = board()
    line, compared = table.iloc[1], comparisons.iloc[0]
    assert line["gain"] == pytest.approx(0.2)  # 17 and 12 of 25
    assert (line["gain"], line["gain_low"], line["gain_high"]) == tuple(compared[["difference", "low", "high"]])
    assert line["verdict"] == compared["verdict"] == "too close to call"


def test_what_a_row_is_worth_stands_in_numbers_and_words():
    line = board()[0].iloc[1]
    assert (line["real_images"], line["real_images_low"], line["real_images_high"]) == (9.0, 7.0, math.inf)
    assert line["worth"] == "9 (7 to over 35)"


def test_the_baseline_is_not_compared_with_itself():
    line = board()[0].iloc[0]
    assert all(math.isnan(line[column]) for column in ("gain", "gain_low", "gain_high", "real_images"))
    assert (line["verdict"], line["worth"]) == ("", "")


def test_the_comparison_of_the_arms_is_no_gain():
    comparisons = compare_pairs([("text", "prompts")], {"text": TEXT, "prompts": BASELINE})
    line = leaderboard({"text": RESULTS["text"]}, OUTCOMES, comparisons, {}).iloc[0]
    assert math.isnan(line["gain"])
    assert line["verdict"] == ""


def test_what_is_not_known_is_left_empty():
    once = outcomes("110")
    alone = {"original_only": result("original_only", "neither", once, agreement=None)}
    line = leaderboard(alone, {"original_only": once}, compare_pairs([], {}), {}).iloc[0]
    assert all(math.isnan(line[column]) for column in ("top1_se", "top1_low", "top1_high", "label_agreement"))
    assert (line["agreement_by"], line["worth"]) == ("", "")


def test_agreement_is_the_mean_of_what_was_judged():
    row = result("a", "generate", outcomes("1 1 0"), agreement=0.5)
    row["repetitions"][1]["label_agreement"] = 0.9
    row["repetitions"][2]["label_agreement"] = None
    assert label_agreement(row) == pytest.approx(0.7)  # (0.5 + 0.9) / 2


def test_rows_keep_their_order():
    backwards = dict(reversed(RESULTS.items()))
    assert board(backwards)[0]["strategy"].tolist() == ["text", "original_only"]
    assert len(board({})[0]) == 0
