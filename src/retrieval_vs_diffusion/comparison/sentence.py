"""The verdict in plain English."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from retrieval_vs_diffusion.comparison.baseline import BASELINE
from retrieval_vs_diffusion.comparison.real_images import RealImages
from retrieval_vs_diffusion.comparison.verdicts import FEWEST_REPETITIONS, NO_VERDICT, SIGNIFICANCE, TOO_CLOSE


def verdict_sentence(
    best: Mapping[str, str | None],
    comparisons: pd.DataFrame,
    accuracies: Mapping[str, float],
    test_images: int,
    arms: Collection[str] = ("retrieve", "generate"),
) -> str:
    """Which arm helped more, in one sentence with the interval of the difference.

    Args:
        best: of the arms ``retrieve`` and ``generate`` the row that stands for it; None without one.
        comparisons: as ``compare_pairs`` makes them, the pair of these two among them.
        accuracies: mean accuracy of each row, as a fraction.
        test_images: how many the rows were tested on.
        arms: of the rows that there are; of one that is missing it is not said that its images are weak.
    """
    retrieved, generated = best.get("retrieve"), best.get("generate")
    if retrieved is None or generated is None:
        missing = "retrieves" if retrieved is None else "generates"
        alone = _alone(best, comparisons, accuracies, test_images)
        weak = " that show their class" if ("retrieve" if retrieved is None else "generate") in arms else ""
        told = f"No row here {missing} images{weak}, so retrieval and generation cannot be compared"
        return f"{told}; {alone}." if alone else f"{told} yet."
    (pair,) = comparisons[(comparisons["first"] == retrieved) & (comparisons["second"] == generated)].to_dict("records")
    names = f"retrieval ({retrieved}, {accuracies[retrieved] * 100:.1f} %)"
    others = f"generation ({generated}, {accuracies[generated] * 100:.1f} %)"
    points = f"{abs(pair['difference']) * 100:.1f} points"
    seen = f"{_counted(pair['repetitions'], 'repetition')}, {test_images} test images"
    if pair["verdict"] == NO_VERDICT:
        return f"No verdict, {_why_none(pair['repetitions'])}: {names} and {others} differ by {points}."
    low, high = pair["low"] * 100, pair["high"] * 100
    if math.isnan(low):
        return f"Too close to call: {names} and {others} are right on the same images ({seen})."
    if pair["verdict"] == TOO_CLOSE:
        interval = f"95 % interval of retrieval minus generation {low:.1f} to {high:.1f}; {seen}"
        corrected = (
            ", which is not enough where so many rows are compared"
            if pair["p_value"] < SIGNIFICANCE <= pair["p_adjusted"]
            else ""
        )
        return f"Too close to call: {names} and {others} differ by {points} ({interval}){corrected}."
    more, less = (names, others) if pair["difference"] > 0 else (others, names)
    ends = (low, high) if pair["difference"] > 0 else (-high, -low)
    interval = f"95 % interval {ends[0]:.1f} to {ends[1]:.1f}; {seen}"
    return f"{more[0].upper()}{more[1:]} helped more than {less}, by {points} ({interval})."


def _alone(
    best: Mapping[str, str | None], comparisons: pd.DataFrame, accuracies: Mapping[str, float], test_images: int
) -> str:
    """What the one arm that there is did for the baseline; empty without it or without a row."""
    arm, row = ("retrieval", best["retrieve"]) if best.get("retrieve") else ("generation", best.get("generate"))
    pairs = comparisons[(comparisons["first"] == row) & (comparisons["second"] == BASELINE)].to_dict("records")
    if not pairs or row is None:
        return ""
    (pair,) = pairs
    named = f"{arm} ({row}, {accuracies[row] * 100:.1f} %)"
    points = f"{pair['difference'] * 100:+.1f} points"
    seen = f"{_counted(pair['repetitions'], 'repetition')}, {test_images} test images"
    if pair["verdict"] == NO_VERDICT:
        why = _why_none(pair["repetitions"])
        return f"{named} differs from {BASELINE} by {points}, which is no verdict ({seen}): {why}"
    interval = "" if math.isnan(pair["low"]) else f"95 % interval {pair['low'] * 100:.1f} to {pair['high'] * 100:.1f}; "
    if pair["verdict"] == TOO_CLOSE:
        return f"{named} against {BASELINE} is too close to call ({points}, {interval}{seen})"
    return f"{named} is {pair['verdict']} than {BASELINE}, by {points} ({interval}{seen})"


def _why_none(repetitions: int) -> str:
    """Why there is no verdict on a pair."""
    if repetitions < FEWEST_REPETITIONS:
        are = "is" if repetitions == 1 else "are"
        return f"{_counted(repetitions, 'repetition')} {are} too few ({FEWEST_REPETITIONS} are needed)"
    return "they differ by the same on each of so few test images, which is too little to tell from (more are needed)"


def exclusion_sentence(best: Mapping[str, str | None], left_out: Collection[str], unjudged: Collection[str]) -> str:
    """That an arm is missing by a rule that the other could not fall under; empty where that is not so.

    Args:
        best: of the arms ``retrieve`` and ``generate`` the row that stands for it; None without one.
        left_out: arms of which rows were left out, for their images do not show their class.
        unjudged: arms of which nothing tells that.
    """
    for arm, other, brought in (("generate", "retrieve", "retrieved"), ("retrieve", "generate", "generated")):
        if best.get(arm) is None and arm in left_out and other in unjudged:
            known = f"nothing here tells whether {brought} images show their class"
            return f"Only rows that {arm} could be left out so: {known}."
    return ""


def worth_sentence(best: Mapping[str, str | None], worth: Mapping[str, RealImages]) -> str:
    """What the two rows are worth in real images; empty where the size curve cannot tell."""
    named = [
        (f"{arm} ({name})", worth[name])
        for arm, key in (("retrieval", "retrieve"), ("generation", "generate"))
        if (name := best.get(key)) and name in worth
    ]
    told = [f"{name} is worth {_images(each)}" for name, each in named if not each.tells_nothing]
    untold = [name for name, each in named if each.tells_nothing]
    sentences = [f"Beside the originals, {', '.join(told)}."] if told else []
    if untold:
        holds = "its interval holds" if len(untold) == 1 else "their intervals hold"
        sentences.append(
            f"What {' and '.join(untold)} {'is' if len(untold) == 1 else 'are'} worth in real images cannot be told: "
            f"{holds} every size of the curve."
        )
    return " ".join(sentences)


def _images(worth: RealImages) -> str:
    if worth.more == -math.inf:
        return "less than the size curve can tell"
    return f"{worth.in_words()} more real images a class"


def family_sentence(comparisons: pd.DataFrame, baseline: str) -> str:
    """How many rows are better than the baseline, and after what correction."""
    against = comparisons[comparisons["second"] == baseline]
    if not len(against) or (against["verdict"] == NO_VERDICT).all():
        return ""
    better, worse, close, unknown = (
        (against["verdict"] == verdict).sum() for verdict in ("better", "worse", TOO_CLOSE, NO_VERDICT)
    )
    without = f", {unknown} without a verdict" if unknown else ""
    corrected = f"after Holm's correction over the {_counted(len(comparisons), 'comparison')} of this table"
    if better == len(against) > 1:
        return f"All {better} rows are better than {baseline}, {corrected}."
    return (
        f"Of {_counted(len(against), 'row')} {better} {'is' if better == 1 else 'are'} better than {baseline}, "
        f"{worse} worse and {close} too close to call{without}, {corrected}."
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def as_words(summary: Mapping[str, Any]) -> list[str]:
    """The sentences of a summary that say something, in order."""
    return [each for each in (summary["sentence"], summary["worth"], summary["family"]) if each]
