"""The table of added images: what each strategy's sets look like, before training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from retrieval_vs_diffusion.comparison.accuracy import standard_error

COLUMNS = (
    "strategy",
    "draws",
    "images_added",
    "label_agreement",
    "agreement_by",
    "kid",
    "kid_se",
    "diversity",
    "diversity_se",
    "near_duplicate_share",
    "nearest_pool_mean",
    "nearest_pool_max",
    "copied_share",
)


def sets(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A row a strategy that adds images; a companion of the leaderboard.

    Figures are means over the strategy's ``draws``, the sets that were drawn anew: one that all
    repetitions share counts once. ``nearest_pool_max`` is the largest of all. ``kid_se`` and
    ``diversity_se`` are standard errors over draws; 0 where every draw brings the same images. What was
    not measured, or could not be, is NaN. ``comparison.set_quality`` has the measures.
    """
    return pd.DataFrame([row for each in results if (row := _row(each)) is not None], columns=list(COLUMNS))


def _row(result: dict[str, Any]) -> dict[str, Any] | None:
    by_draw = {each["set"]["draw"]: each for each in result["repetitions"] if each["set"] is not None}
    if not by_draw:
        return None
    repetitions = list(by_draw.values())

    def values(name: str) -> list[float]:
        return [each["set"][name] for each in repetitions if each["set"][name] is not None]

    def mean(name: str) -> float:
        return float(np.mean(values(name))) if values(name) else math.nan

    agreements = [each["label_agreement"] for each in repetitions if each["label_agreement"] is not None]
    judged_by = [each["agreement_by"] for each in repetitions if each["agreement_by"]]
    return {
        "strategy": result["strategy"],
        "draws": len(repetitions),
        "images_added": np.mean([each["images_added"] for each in repetitions]),
        "label_agreement": np.mean(agreements) if agreements else math.nan,
        "agreement_by": judged_by[0] if judged_by else "",
        "kid": mean("kid"),
        "kid_se": standard_error(np.array(values("kid"))),
        "diversity": mean("diversity"),
        "diversity_se": standard_error(np.array(values("diversity"))),
        "near_duplicate_share": mean("near_duplicate_share"),
        "nearest_pool_mean": mean("nearest_pool_mean"),
        "nearest_pool_max": max(values("nearest_pool_max"), default=math.nan),
        "copied_share": mean("copied_share"),
    }
