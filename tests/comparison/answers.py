"""Answers of classifiers that can be written down: a row a repetition, a 1 where a test image is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from retrieval_vs_diffusion.comparison.outcomes import Outcomes

CLASSES = 2


def outcomes(right: str | np.ndarray, repetitions: Sequence[int] | None = None) -> Outcomes:
    """Outcomes of two classes in turn: ``"110 010"`` is two repetitions of three images."""
    correct = np.array([[bit == "1" for bit in row] for row in right.split()]) if isinstance(right, str) else right
    labels = np.arange(correct.shape[1]) % CLASSES
    predicted = np.where(correct, labels, 1 - labels)
    ids = tuple(f"test/{number:04d}" for number in range(correct.shape[1]))
    return Outcomes(tuple(repetitions or range(len(correct))), ids, labels, predicted)


def table(of: Outcomes, **columns: Any) -> pd.DataFrame:
    """The same as ``outcomes_table`` has it, with more ``columns``."""
    rows = [
        {"repetition": repetition, "image_id": image_id, "label": int(label), "predicted": int(predicted)}
        for repetition, row in zip(of.repetitions, of.predicted, strict=True)
        for image_id, label, predicted in zip(of.image_ids, of.labels, row, strict=True)
    ]
    return pd.DataFrame(rows).assign(**columns)


def result(
    strategy: str, arm: str, of: Outcomes, val: float = 0.5, agreement: float | None = 0.9, **more: Any
) -> dict[str, Any]:
    """A strategy's results, as ``gather`` makes them."""
    seconds = {"personalise": 1.0, "bring": 2.0, "screen": 0.5, "train": 4.0}
    return {
        "strategy": strategy,
        "arm": arm,
        "description": "",
        "steps": [],
        "own_recipe": [],
        "repetitions": [
            {
                "repetition": number,
                "top1": float(row.mean()),
                "val_top1": val,
                "images_added": 10 + number,
                "label_agreement": agreement,
                "agreement_by": None if agreement is None else "judge",
                "diverged": None,
                "seconds": seconds,
                "gpu_seconds": 0.0,
                "peak_memory_bytes": None,
                "flops": 0,
                "stored_bytes": 0,
                "ledger": [],
            }
            for number, row in zip(of.repetitions, of.correct, strict=True)
        ],
        **more,
    }
