"""Which rows differ: a family of comparisons that a table's rows decide, and not their figures; Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from retrieval_vs_diffusion.comparison.baseline import BASELINE
from retrieval_vs_diffusion.comparison.intervals import crossed_interval
from retrieval_vs_diffusion.comparison.outcomes import Outcomes, paired

FEWEST_REPETITIONS = 5  # under which figures are given and no verdict
SIGNIFICANCE = 0.05  # family-wise
COLUMNS = (
    "first",
    "second",
    "repetitions",
    "difference",
    "low",
    "high",
    "p_value",
    "p_adjusted",
    "verdict",
)
NO_VERDICT = "no verdict"
TOO_CLOSE = "too close to call"


def declared_family(order: Sequence[str], best: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """The comparisons that are made: each row against the baseline, and the arms' best rows against each other.

    Args:
        order: the rows.
        best: of the arms ``retrieve`` and ``generate`` the row that is best on validation; None without one.
    """
    family = [(name, BASELINE) for name in order if name != BASELINE] if BASELINE in order else []
    retrieved, generated = best.get("retrieve"), best.get("generate")
    return [*family, (retrieved, generated)] if retrieved and generated else family


def compare_pairs(family: Sequence[tuple[str, str]], outcomes: Mapping[str, Outcomes]) -> pd.DataFrame:
    """Differences of accuracy on the same repetitions and test images, with 95 % intervals and verdicts.

    Returns:
        A row a comparison: ``difference`` of first minus second with ``low`` and ``high`` (fractions), its
        ``p_value``, the same ``p_adjusted`` by Holm's method (1979) over the family, and ``verdict`` on the
        first: ``better``, ``worse``, ``too close to call``, or ``no verdict`` where there are fewer than
        ``FEWEST_REPETITIONS``. Intervals are not widened for the family; verdicts are.
    """
    rows: list[dict[str, Any]] = []
    for first, second in family:
        differences = paired(outcomes[first], outcomes[second])
        interval = crossed_interval(differences)
        rows.append(
            {
                "first": first,
                "second": second,
                "repetitions": len(differences),
                "difference": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "p_value": interval.p_value,
            }
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS[:-2]))
    table["p_adjusted"] = _holm(table["p_value"].to_numpy(float))
    table["verdict"] = [_verdict(row) for row in table.to_dict("records")]
    return table


def _holm(p_values: np.ndarray) -> np.ndarray:
    """Adjusted p-values; what is not known counts as 1, so that it still counts in the family."""
    from statsmodels.stats.multitest import multipletests

    known = np.nan_to_num(p_values, nan=1.0)
    return multipletests(known, method="holm")[1] if len(known) else known


def _verdict(row: Mapping[str, Any]) -> str:
    if row["repetitions"] < FEWEST_REPETITIONS or math.isnan(row["p_value"]):
        return NO_VERDICT
    if row["p_adjusted"] >= SIGNIFICANCE:
        return TOO_CLOSE
    return "better" if row["difference"] > 0 else "worse"
