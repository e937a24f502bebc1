"""Weighing the settings that were tried, by validation accuracy alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from retrieval_vs_diffusion.comparison.accuracy import standard_error


def trial_table(
    trials: Sequence[Mapping[str, Any]], repetitions: Sequence[int], histories: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """A row a trial.

    Args:
        trials: ``strategy``, ``name`` and ``settings`` of each.
        repetitions: their numbers.
        histories: the classifier's validation looks under ``<name>_<repetition>``.

    Returns:
        Columns ``strategy``, ``trial``, ``settings`` (JSON), ``val_top1_mean``, ``val_top1_se`` (fractions; over
        repetitions, of the best look of each), ``val_top1`` (JSON, by repetition) and ``chosen``.
    """
    rows = []
    for trial in trials:
        looks = [histories[f"{trial['name']}_{repetition}"] for repetition in repetitions]
        accuracies = [float(look[look["kept"].astype(bool)].iloc[-1]["val_top1"]) for look in looks]
        rows.append(
            {
                "strategy": trial["strategy"],
                "trial": trial["name"],
                "settings": json.dumps(trial["settings"]),
                "val_top1_mean": float(np.mean(accuracies)),
                "val_top1_se": standard_error(np.array(accuracies)),
                "val_top1": json.dumps(accuracies),
            }
        )
    table = pd.DataFrame(rows)
    # Of equals the one that is listed first: the list begins with what was there before.
    # Rounded, so that the order in which equal figures were summed decides nothing.
    best = table["val_top1_mean"].round(6).groupby(table["strategy"], sort=False).idxmax()
    table["chosen"] = table.index.isin(best)
    return table


def chosen_settings(table: pd.DataFrame) -> dict[str, Any]:
    """The settings that won, by strategy."""
    won = table[table["chosen"]]
    return {strategy: json.loads(settings) for strategy, settings in zip(won["strategy"], won["settings"], strict=True)}
