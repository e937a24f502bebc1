"""What near-duplicates of test images do: how well they are found, and what they would have bought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from retrieval_vs_diffusion.comparison.intervals import crossed_interval
from retrieval_vs_diffusion.comparison.outcomes import Outcomes, paired
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.leak_check import find_leaks
from retrieval_vs_diffusion.images.screening import Gate, Screening

COLUMNS = ("strategy", "repetitions", "leaks_let_in", "top1_without", "top1_with", "difference", "low", "high")
NOTHING_PLANTED = {"planted": 0, "found": None, "recall": None, "others": None, "false_alarms": None}
_AT_ONCE = 2_000  # pool images that are decoded together


def check_planted_leaks(pool: ImageTable, protected: pd.DataFrame, screening: Screening) -> dict[str, Any]:
    """Pass a pool with planted leaks through the screening's leak check.

    Returns:
        ``planted`` leaks and how many of them were ``found``, ``recall`` (a fraction); ``others`` in the pool
        and how many of them were taken for leaks, ``false_alarms``. Of a pool in which no leak is planted
        ``planted`` is 0 and the rest None: what is found there may be a copy or not.
    """
    planted = np.isin(np.arange(len(pool)), pool.rows_with("leak_of"))
    if not planted.any():
        return dict(NOTHING_PLANTED)
    gate = Gate(screening, protected)
    flagged = find_leaks(pool, gate, _AT_ONCE)
    found, false_alarms = int((flagged & planted).sum()), int((flagged & ~planted).sum())
    return {
        "planted": int(planted.sum()),
        "found": found,
        "recall": found / int(planted.sum()),
        "others": int((~planted).sum()),
        "false_alarms": false_alarms,
    }


def count_leaks(images: ImageTable, gate: Gate) -> int:
    """How many images are near-duplicates of validation and test images."""
    return int(find_leaks(images, gate, _AT_ONCE).sum())


def leak_table(with_leaks: Mapping[str, pd.DataFrame], without: Mapping[str, pd.DataFrame | None]) -> pd.DataFrame:
    """Accuracy of rows with and without the copies of validation and test images that the screening refuses.

    Args:
        with_leaks: by row, as ``side_outcomes`` makes them, with ``leaks_let_in`` by repetition.
        without: outcomes of the rows themselves; None where they do not hold.

    Returns:
        A row a strategy: ``leaks_let_in`` (mean of a repetition), accuracies as fractions, and their paired
        ``difference`` with its 95 % interval, which nothing is corrected for.
    """
    rows = []
    for name, table in with_leaks.items():
        clean = without[name]
        if clean is None:
            continue
        leaky, honest = Outcomes.from_table(table), Outcomes.from_table(clean)
        interval = crossed_interval(paired(leaky, honest))
        rows.append(
            {
                "strategy": name,
                "repetitions": len(leaky.repetitions),
                "leaks_let_in": float(table.groupby("repetition")["leaks_let_in"].first().mean()),
                "top1_without": float(honest.correct.mean()),
                "top1_with": float(leaky.correct.mean()),
                "difference": interval.estimate,
                "low": interval.low,
                "high": interval.high,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))
