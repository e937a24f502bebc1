"""The leaderboard: a row a strategy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from retrieval_vs_diffusion.comparison.accuracy import standard_error
from retrieval_vs_diffusion.comparison.baseline import BASELINE
from retrieval_vs_diffusion.comparison.intervals import accuracy_interval, bootstrap_interval
from retrieval_vs_diffusion.comparison.outcomes import Outcomes
from retrieval_vs_diffusion.comparison.real_images import RealImages

COLUMNS = (
    "strategy",
    "repetitions",
    "top1_mean",
    "top1_se",
    "images_added",
    "label_agreement",
    "agreement_by",
    "seconds",
    "top1_low",
    "top1_high",
    "val_top1_mean",
    "gain",
    "gain_low",
    "gain_high",
    "verdict",
    "real_images",
    "real_images_low",
    "real_images_high",
    "worth",
    "bootstrap_low",
    "bootstrap_high",
)


def leaderboard(
    results: Mapping[str, Mapping[str, Any]],
    outcomes: Mapping[str, Outcomes],
    comparisons: pd.DataFrame,
    worth: Mapping[str, RealImages],
) -> pd.DataFrame:
    """A row a strategy.

    Args:
        results: of each strategy, as ``gather`` makes them.
        outcomes: of each strategy.
        comparisons: as ``compare_pairs`` makes them.
        worth: of each strategy that the size curve can tell it of.

    Returns:
        Accuracies and agreements are fractions. ``top1_se`` is the standard deviation over repetitions
        divided by the root of their number; ``top1_low`` and ``top1_high`` the 95 % interval over repetitions
        and test images; ``images_added`` and ``seconds`` (personalising, bringing and screening images,
        training) are means of a repetition. ``gain`` is the paired difference to the baseline with its
        interval and ``verdict``; ``real_images`` is how many more real images a class a row is worth, infinite
        outside of the size curve, and ``worth`` the same in words. ``bootstrap_low`` and ``bootstrap_high`` are the
        interval of the hierarchical bootstrap, for who wants to compare: with few repetitions it holds the truth
        too seldom or too often (docs/adr/0007). What is not known is NaN or empty.
    """
    against = {row["first"]: row for row in comparisons.to_dict("records") if row["second"] == BASELINE}
    rows = [_row(each, outcomes[name], against.get(name), worth.get(name)) for name, each in results.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(
    result: Mapping[str, Any], outcomes: Outcomes, gain: Mapping[str, Any] | None, worth: RealImages | None
) -> dict[str, Any]:
    repetitions = result["repetitions"]
    accuracies = np.array([each["top1"] for each in repetitions])
    interval = accuracy_interval(outcomes.correct)
    bootstrap = bootstrap_interval(outcomes.correct.astype(float))
    return {
        "strategy": result["strategy"],
        "repetitions": len(repetitions),
        "top1_mean": accuracies.mean(),
        "top1_se": standard_error(accuracies),
        "images_added": np.mean([each["images_added"] for each in repetitions]),
        "label_agreement": label_agreement(result),
        "agreement_by": repetitions[0]["agreement_by"] or "",
        "seconds": np.mean([sum(each["seconds"].values()) for each in repetitions]),
        "top1_low": interval.low,
        "top1_high": interval.high,
        "val_top1_mean": np.mean([each["val_top1"] for each in repetitions]),
        "gain": gain["difference"] if gain else math.nan,
        "gain_low": gain["low"] if gain else math.nan,
        "gain_high": gain["high"] if gain else math.nan,
        "verdict": gain["verdict"] if gain else "",
        "real_images": worth.more if worth else math.nan,
        "real_images_low": worth.low if worth else math.nan,
        "real_images_high": worth.high if worth else math.nan,
        "worth": worth.in_words() if worth else "",
        "bootstrap_low": bootstrap.low,
        "bootstrap_high": bootstrap.high,
    }


def label_agreement(result: Mapping[str, Any]) -> float:
    """Mean over repetitions of the share of images that show their class; NaN where nothing was judged."""
    known = [each["label_agreement"] for each in result["repetitions"] if each["label_agreement"] is not None]
    return float(np.mean(known)) if known else math.nan
