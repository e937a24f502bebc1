"""The leaderboard, and one sentence on what it says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from retrieval_vs_diffusion.comparison.accuracy import standard_error

COLUMNS = (
    "strategy",
    "repetitions",
    "top1_mean",
    "top1_se",
    "images_added",
    "label_agreement",
    "agreement_by",
    "seconds",
)
_CONFIDENCE = 0.95
_NO_SPREAD = 1e-9  # a standard error of zero is an accident of few repetitions, and no certainty


def leaderboard(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A row a strategy.

    ``top1_mean`` and ``label_agreement`` are fractions; ``top1_se`` is the standard deviation over
    repetitions divided by the root of their number; ``images_added`` and ``seconds`` (personalising,
    bringing images, training) are means of a repetition.
    """
    return pd.DataFrame([_row(each) for each in results], columns=list(COLUMNS))


def _row(result: dict[str, Any]) -> dict[str, Any]:
    repetitions = result["repetitions"]
    accuracies = np.array([each["top1"] for each in repetitions])
    agreements = [each["label_agreement"] for each in repetitions if each["label_agreement"] is not None]
    return {
        "strategy": result["strategy"],
        "repetitions": len(repetitions),
        "top1_mean": accuracies.mean(),
        "top1_se": standard_error(accuracies),
        "images_added": np.mean([each["images_added"] for each in repetitions]),
        "label_agreement": np.mean(agreements) if agreements else math.nan,
        "agreement_by": repetitions[0]["agreement_by"] or "",
        "seconds": np.mean([sum(each["seconds"].values()) for each in repetitions]),
    }


def summary(results: Sequence[dict[str, Any]], low_label_agreement: float) -> dict[str, Any]:
    """What the numbers say in one sentence, and which rows must be read with care, and why.

    The best retrieval row and the best generation row are chosen by validation accuracy, among those
    whose label agreement is not too low; their difference on test is taken repetition by repetition,
    with the 95 % interval of Student's t. It is too close to call where the interval holds zero.
    """
    marked = [
        row["strategy"]
        for row in map(_row, results)
        if row["label_agreement"] is not None and row["label_agreement"] < low_label_agreement
    ]
    return {
        "sentence": _sentence(results, low_label_agreement),
        "low_label_agreement": marked,
        "threshold": low_label_agreement,
        "notes": [note for result in results for note in _notes(result)],
    }


def _notes(result: dict[str, Any]) -> list[str]:
    """What went wrong with a row and must be known to read it: learning that diverged, images that are short."""
    name, repetitions = result["strategy"], result["repetitions"]
    notes = []
    if diverged := _diverged(result):
        notes.append(
            f"{name}: its personalisation diverged ({'; '.join(diverged)}); the last good state was used, and the "
            "row stands for nothing in the sentence"
        )
    if result.get("own_recipe"):
        notes.append(
            f"{name}: its classifier is trained by a recipe of its own ({', '.join(result['own_recipe'])}), which "
            "alone may make the difference to other rows"
        )
    asked = sum(each.get("ledger", {}).get("asked", 0) for each in repetitions)
    short = sum(each.get("ledger", {}).get("short_by", 0) for each in repetitions)
    if short:
        notes.append(f"{name}: {short} of {asked} images could not be brought, all repetitions together")
    return notes


def _diverged(result: dict[str, Any]) -> list[str]:
    """In which repetitions the personalisation diverged, and where."""
    return [
        f"repetition {each['repetition']}, {each['diverged']}" for each in result["repetitions"] if each.get("diverged")
    ]


def _sentence(results: Sequence[dict[str, Any]], low_label_agreement: float) -> str:
    retrieved, generated = (_best(results, arm, low_label_agreement) for arm in ("retrieve", "generate"))
    if retrieved is None or generated is None:
        missing = "retrieves" if retrieved is None else "generates"
        return (
            f"No row here {missing} images that show their class, so retrieval and generation cannot be compared yet."
        )
    difference, error, pairs = _paired(retrieved, generated)
    names = f"retrieval ({retrieved['strategy']}, {_percent(retrieved)})"
    others = f"generation ({generated['strategy']}, {_percent(generated)})"
    points = f"{abs(difference) * 100:.1f} points"
    if pairs < 2 or math.isnan(error):
        return f"One repetition is too few to tell {names} from {others}: they differ by {points}."
    if error < _NO_SPREAD < abs(difference):
        return f"{pairs} repetitions that differ alike are too few to tell {names} from {others}: by {points}."
    margin = clear_above(pairs) * error
    if abs(difference) <= margin:
        low, high = (difference - margin) * 100, (difference + margin) * 100
        interval = f"95 % interval of retrieval minus generation {low:.1f} to {high:.1f}, {pairs} paired repetitions"
        return f"Too close to call: {names} and {others} differ by {points} ({interval})."
    more, less = (names, others) if difference > 0 else (others, names)
    low, high = (abs(difference) - margin) * 100, (abs(difference) + margin) * 100
    interval = f"95 % interval {low:.1f} to {high:.1f}, {pairs} paired repetitions"
    return f"{more[0].upper()}{more[1:]} helped more than {less}, by {points} ({interval})."


def clear_above(pairs: int) -> float:
    """How many standard errors a mean of paired differences must be away from zero to be more than chance.

    Student's t at 95 %, two-sided: 12.7 for 2 pairs, 2.8 for 5, 2.1 for 20.
    """
    from scipy.stats import t

    return float(t.ppf((1 + _CONFIDENCE) / 2, pairs - 1))


def _best(results: Sequence[dict[str, Any]], arm: str, low_label_agreement: float) -> dict[str, Any] | None:
    """The arm's best row by validation.

    Rows whose images do not show their class, whose personalisation diverged or whose classifier is
    trained by another recipe stand for nothing here.
    """
    strong = [
        result
        for result in results
        if result.get("arm") == arm
        and not _row(result)["label_agreement"] < low_label_agreement
        and not result.get("own_recipe")
        and not _diverged(result)
    ]
    return max(strong, key=lambda each: np.mean([r["val_top1"] for r in each["repetitions"]]), default=None)


def _paired(first: dict[str, Any], second: dict[str, Any]) -> tuple[float, float, int]:
    """Mean difference of top-1, its standard error, and the number of repetitions that both have."""
    one = {each["repetition"]: each["top1"] for each in first["repetitions"]}
    other = {each["repetition"]: each["top1"] for each in second["repetitions"]}
    differences = np.array([one[number] - other[number] for number in sorted(one.keys() & other.keys())])
    return float(differences.mean()), standard_error(differences), len(differences)


def _percent(result: dict[str, Any]) -> str:
    return f"{np.mean([each['top1'] for each in result['repetitions']]) * 100:.1f} %"
