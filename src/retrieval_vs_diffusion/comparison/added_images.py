"""How much to add: accuracy by the number of added images and by their share of each batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from retrieval_vs_diffusion.comparison.intervals import accuracy_interval
from retrieval_vs_diffusion.comparison.outcomes import Outcomes

COLUMNS = (
    "strategy",
    "times_originals",
    "added_share",
    "images_added",
    "repetitions",
    "val_top1_mean",
    "top1_mean",
    "top1_low",
    "top1_high",
    "protocol",
)


def added_images_table(
    variants: Sequence[Mapping[str, Any]], protocols: Mapping[str, str], outcomes: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """A row a variant.

    Args:
        variants: ``variant``, ``strategy``, ``times_originals`` and ``added_share`` of each.
        protocols: by strategy a digest of all else that its figures depend on.
        outcomes: ``outcomes_of_<strategy>``, as ``side_outcomes`` makes them.

    Returns:
        ``images_added`` as they were (a source may have had fewer), mean accuracy on validation, and on test
        with its 95 % interval (fractions). Choose by validation: who chooses by test has no figure left.
    """
    rows = []
    for each in variants:
        table = outcomes[f"outcomes_of_{each['strategy']}"]
        table = table[table["variant"] == each["variant"]]
        interval = accuracy_interval(Outcomes.from_table(table).correct)
        by_repetition = table.groupby("repetition")[["added", "val_top1"]].first()
        rows.append(
            {
                "strategy": each["strategy"],
                "times_originals": each["times_originals"],
                "added_share": each["added_share"],
                "images_added": float(by_repetition["added"].mean()),
                "repetitions": len(by_repetition),
                "val_top1_mean": float(by_repetition["val_top1"].mean()),
                "top1_mean": interval.estimate,
                "top1_low": interval.low,
                "top1_high": interval.high,
                "protocol": protocols[each["strategy"]],
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))
