"""What classifiers of a side comparison predicted, and how many images each was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from retrieval_vs_diffusion.comparison.outcomes import outcomes_table


def side_outcomes(variants: Sequence[str], repetitions: Sequence[int], artifacts: Mapping[str, Any]) -> pd.DataFrame:
    """Bring the variants of a side comparison together.

    Args:
        variants: their names.
        repetitions: their numbers.
        artifacts: for the variant at position v and repetition r ``predictions_v_r``, ``history_v_r`` and
            ``training_record_v_r``.

    Returns:
        The columns of ``outcomes_table``, and ``variant``, ``originals`` and ``added`` (images that the
        repetition's classifier was trained on) and ``val_top1`` (its accuracy on validation).
    """
    tables = []
    for position, variant in enumerate(variants):
        for repetition in repetitions:
            key = f"{position}_{repetition}"
            history, record = artifacts[f"history_{key}"], artifacts[f"training_record_{key}"]
            kept = history[history["kept"].astype(bool)].iloc[-1]
            table = outcomes_table({repetition: artifacts[f"predictions_{key}"]})
            tables.append(
                table.assign(
                    variant=variant,
                    originals=record["originals"],
                    added=record["added"],
                    val_top1=float(kept["val_top1"]),
                )
            )
    return pd.concat(tables, ignore_index=True)
