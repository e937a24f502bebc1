"""Accuracies of predictions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def top_k_accuracy(probabilities: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"], k: int = 1) -> float:
    """Share of images whose class is among the k most probable ones, in [0, 1]."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())


def standard_error(values: Float[np.ndarray, " r"]) -> float:
    """Standard deviation over repetitions (r - 1 degrees of freedom) by the root of their number; NaN for one."""
    values = np.asarray(values, dtype=float)
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
