"""From results to the verdict: leaderboard, comparisons, size curve, and what they say in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from retrieval_vs_diffusion.comparison.baseline import BASELINE
from retrieval_vs_diffusion.comparison.intervals import accuracy_interval
from retrieval_vs_diffusion.comparison.leaderboard import leaderboard
from retrieval_vs_diffusion.comparison.outcomes import Outcomes
from retrieval_vs_diffusion.comparison.real_images import worth_in_real_images
from retrieval_vs_diffusion.comparison.sentence import family_sentence, verdict_sentence, worth_sentence
from retrieval_vs_diffusion.comparison.standing import best_of_arm, notes_on, weakly_labelled
from retrieval_vs_diffusion.comparison.verdicts import compare_pairs, declared_family

CURVE_COLUMNS = ("images_per_class", "repetitions", "top1_mean", "top1_low", "top1_high")

_FLAT = "What rows are worth in real images cannot be told: more of these make the classifier no better here."


def reach_verdict(
    results: Mapping[str, Mapping[str, Any]],
    outcomes: Mapping[str, pd.DataFrame],
    size_curve: pd.DataFrame | None,
    low_label_agreement: float,
    originals_per_class: float,
    classes: int,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Compare all rows.

    Args:
        results: of each row, as ``gather`` makes them.
        outcomes: of each row, as ``outcomes_table`` makes them.
        size_curve: the baseline at other sizes, as ``side_outcomes`` makes it; None without one.
        low_label_agreement: share of what the yardstick gives real validation images, under which a row is marked.
        originals_per_class: their mean number.
        classes: how many there are.

    Returns:
        The leaderboard, the family of comparisons, the size curve (accuracy against real images a class), and
        a summary that JSON can hold: ``sentence``, ``worth`` and ``family`` in words, ``best`` row of each arm,
        ``low_label_agreement`` rows with their ``threshold``, ``notes`` on rows and ``test_images``.
    """
    read = {name: Outcomes.from_table(table) for name, table in outcomes.items()}
    rows = list(results.values())
    best = {arm: best_of_arm(rows, arm, low_label_agreement) for arm in ("retrieve", "generate")}
    comparisons = compare_pairs(declared_family(list(results), best), read)
    curve = _curve(read.get(BASELINE), size_curve, originals_per_class, classes)
    rises = len(curve) > 1 and curve[-1][1].correct.mean() > curve[0][1].correct.mean()
    others = {name: each for name, each in read.items() if name != BASELINE}
    worth = (
        {name: worth_in_real_images(each, curve, originals_per_class) for name, each in others.items()} if rises else {}
    )
    board = leaderboard(results, read, comparisons, worth)
    accuracies = dict(zip(board["strategy"], board["top1_mean"], strict=True))
    test_images = len(next(iter(read.values())).labels) if read else 0
    summary = {
        "sentence": verdict_sentence(best, comparisons, accuracies, test_images, {str(row["arm"]) for row in rows}),
        "worth": _FLAT if len(curve) > 1 and not rises else worth_sentence(best, worth),
        "family": family_sentence(comparisons, BASELINE),
        "best": best,
        "low_label_agreement": weakly_labelled(rows, low_label_agreement),
        "threshold": low_label_agreement,
        "notes": [note for result in rows for note in notes_on(result)],
        "test_images": test_images,
        "originals_per_class": originals_per_class,
    }
    return board, comparisons, _curve_table(curve), summary


def _curve(
    baseline: Outcomes | None, others: pd.DataFrame | None, originals_per_class: float, classes: int
) -> list[tuple[float, Outcomes]]:
    """Real images a class with the outcomes at that size, the originals' own among them."""
    if baseline is None or others is None:
        return []
    points = [(float(originals_per_class), baseline)]
    for _, table in others.groupby("variant", sort=False):
        points.append((float(table["originals"].iloc[0]) / classes, Outcomes.from_table(table)))
    # Sizes above what is held back are all the same size: of equals the first is kept.
    distinct = {size: outcomes for size, outcomes in reversed(points)}
    return sorted(distinct.items())


def _curve_table(curve: list[tuple[float, Outcomes]]) -> pd.DataFrame:
    rows = []
    for size, outcomes in curve:
        interval = accuracy_interval(outcomes.correct)
        rows.append((size, len(outcomes.repetitions), interval.estimate, interval.low, interval.high))
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))
