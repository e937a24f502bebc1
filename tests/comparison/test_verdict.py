import json

import numpy as np
import pandas as pd
import pytest

from retrieval_vs_diffusion.comparison.intervals import accuracy_interval
from retrieval_vs_diffusion.comparison.simulation import Variation, log_odds_for, simulate
from retrieval_vs_diffusion.comparison.verdict import CURVE_COLUMNS, reach_verdict
from tests.comparison.answers import CLASSES, outcomes, result, table

ORIGINALS = 10  # a class
ACCURACIES = {
    "original_only": 0.6,
    "text": 0.8,
    "image": 0.9,
    "prompts": 0.65,
    "both": 0.7,
    "half": 0.5,
    "triple": 0.85,
}
ARMS = {"original_only": "neither", "text": "retrieve", "image": "retrieve", "prompts": "generate", "both": "both"}


@pytest.fixture(scope="module")
def answers():
    """What the classifiers of five rows and two other sizes say in five repetitions of 400 test images."""
    odds = [log_odds_for(accuracy, Variation()) for accuracy in ACCURACIES.values()]
    rows = simulate(odds, 5, 400, Variation(), np.random.default_rng(0))
    return dict(zip(ACCURACIES, map(outcomes, rows), strict=True))


def reached(answers, rows=tuple(ARMS), curve=("half", "triple"), **changes):
    """The verdict on some rows, with other sizes of 5 and 30 images a class; by validation text is best, not image."""
    val = {"text": 0.9}
    results = {name: result(name, ARMS[name], answers[name], val.get(name, 0.5)) for name in rows}
    results |= changes
    sizes = {"half": 0.5, "triple": 3.0}
    side = [table(answers[each], variant=each, originals=int(sizes[each] * ORIGINALS * CLASSES)) for each in curve]
    size_curve = pd.concat(side) if side else None
    return reach_verdict(results, {name: table(answers[name]) for name in rows}, size_curve, 0.7, ORIGINALS, CLASSES)


def test_every_row_is_compared_with_the_baseline_and_the_best_of_the_arms_by_validation_with_each_other(answers):
    _, comparisons, _, summary = reached(answers)
    assert list(zip(comparisons["first"], comparisons["second"], strict=True)) == [
        *((name, "original_only") for name in ("text", "image", "prompts", "both")),
        ("text", "prompts"),  # image is better on test, which nobody asks
    ]
    assert summary["best"] == {"retrieve": "text", "generate": "prompts"}
    assert summary["sentence"].startswith("Retrieval (text, ")
    assert "5 repetitions, 400 test images" in summary["sentence"]
    assert "over the 5 comparisons" in summary["family"]


def test_a_row_stands_on_the_curve_of_the_baseline_at_all_its_sizes(answers):
    board, _, curve, summary = reached(answers)
    assert curve.columns.tolist() == list(CURVE_COLUMNS)
    assert curve["images_per_class"].tolist() == [5, 10, 30]  # the baseline's own size is one of them
    assert curve["top1_mean"].tolist() == pytest.approx(
        [answers[name].correct.mean() for name in ("half", "original_only", "triple")]
    )
    interval = accuracy_interval(answers["triple"].correct)
    assert (curve["top1_low"][2], curve["top1_high"][2]) == (interval.low, interval.high)
    by_name = board.set_index("strategy")
    # 0.8 lies four fifths of the way from 0.6 at 10 to 0.85 at 30, at 26: 16 more than the originals
    assert by_name["real_images"]["text"] == pytest.approx(16, abs=3)
    assert by_name["worth"]["image"].startswith("more than 20")  # 30 images without the 10 originals
    assert by_name["worth"]["original_only"] == ""
    assert summary["worth"].startswith("Beside the originals, retrieval (text) is worth 1")


@pytest.mark.parametrize("rows", [tuple(ARMS), ("text", "prompts")])
def test_without_a_curve_or_a_baseline_nothing_is_said_of_real_images(answers, rows):
    board, _, curve, summary = reached(answers, rows, curve=() if "original_only" in rows else ("half", "triple"))
    assert len(curve) == 0
    assert summary["worth"] == ""
    assert board["real_images"].isna().all()


def test_without_a_baseline_the_arms_are_compared_all_the_same(answers):
    _, comparisons, _, summary = reached(answers, ("text", "prompts"))
    assert comparisons[["first", "second"]].to_numpy().tolist() == [["text", "prompts"]]
    assert summary["sentence"].startswith("Retrieval (text, ")
    assert summary["family"] == ""


def test_sizes_above_what_is_held_back_are_one_size(answers):
    results = {"original_only": result("original_only", "neither", answers["original_only"])}
    # Twice and three times were asked for, and the reservoir has 18 a class: both were trained on all of it.
    side = [table(answers[name], variant=name, originals=18 * CLASSES) for name in ("triple", "half")]
    own = {"original_only": table(answers["original_only"])}
    _, _, curve, _ = reach_verdict(results, own, pd.concat(side), 0.7, ORIGINALS, CLASSES)
    assert curve["images_per_class"].tolist() == [10, 18]
    assert curve["top1_mean"][1] == pytest.approx(answers["triple"].correct.mean())  # of equals the first


def test_a_row_that_may_stand_for_nothing_is_told_and_is_in_the_family_all_the_same(answers):
    weak = result("text", "retrieve", answers["text"], 0.9, agreement=0.3)
    _, comparisons, _, summary = reached(answers, text=weak)
    assert summary["best"]["retrieve"] == "image"
    assert (summary["low_label_agreement"], summary["threshold"]) == (["text"], 0.7)
    assert ("text", "original_only") in set(zip(comparisons["first"], comparisons["second"], strict=True))


def test_notes_on_all_rows_are_collected(answers):
    probe = result("image", "retrieve", answers["image"], own_recipe=["features"])
    notes = reached(answers, image=probe)[3]["notes"]
    assert len(notes) == 1
    assert notes[0].startswith("image: its classifier is trained by a recipe of its own")


def test_the_summary_can_be_written_as_json(answers):
    summary = reached(answers)[3]
    assert json.loads(json.dumps(summary)) == summary
    assert (summary["test_images"], summary["originals_per_class"]) == (400, ORIGINALS)


def test_of_no_rows_there_is_a_verdict_all_the_same(answers):
    board, comparisons, curve, summary = reached(answers, rows=(), curve=())
    assert len(board) == len(comparisons) == len(curve) == 0
    assert summary["sentence"].startswith("No row here retrieves")


def test_from_a_curve_that_does_not_rise_nothing_is_read(answers):
    # As good at three times the images as at half of them: more real images are worth nothing here.
    flat = {**answers, "triple": answers["half"]}
    board, _, curve, summary = reached(flat)
    assert curve["top1_mean"][2] == curve["top1_mean"][0]
    assert board["real_images"].isna().all()
    assert summary["worth"].startswith("What rows are worth in real images cannot be told")
