"""The results of one strategy, its repetitions brought together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from retrieval_vs_diffusion.comparison.accuracy import top_k_accuracy
from retrieval_vs_diffusion.images.contact_sheet import spread_over_classes
from retrieval_vs_diffusion.images.image_table import ImageTable

EXAMPLE_ROWS = 3  # examples of each class that the report shows
EXAMPLE_CLASSES = 20


def gather(
    about: Mapping[str, Any], repetitions: Sequence[str], artifacts: Mapping[str, Any]
) -> tuple[dict[str, Any], ImageTable]:
    """Bring together what a strategy's repetitions made.

    Args:
        about: the strategy: its ``strategy`` name, ``arm`` and ``description``.
        repetitions: their numbers.
        artifacts: for each repetition r ``predictions_r``, ``history_r``, and where there are any
            ``images_r`` (the added ones) and ``quality_r`` (as ``measure_set`` gives it); ``learned`` by
            draw with a personalisation, ``originals`` where nothing is added.

    Returns:
        Results that JSON can hold, and examples of the first repetition's images.
    """
    rows = [_repetition(number, artifacts) for number in repetitions]
    shown = artifacts.get(f"images_{repetitions[0]}", artifacts.get("originals"))
    examples, _ = spread_over_classes(shown, EXAMPLE_CLASSES, EXAMPLE_ROWS)
    return {**about, "repetitions": rows}, examples


def _repetition(number: str, artifacts: Mapping[str, Any]) -> dict[str, Any]:
    predictions, history = artifacts[f"predictions_{number}"], artifacts[f"history_{number}"]
    images = artifacts.get(f"images_{number}")
    quality = dict(artifacts.get(f"quality_{number}") or {})
    by_draw = artifacts.get("learned", {})
    # One draw alone where repetitions do not personalise anew.
    learned = by_draw.get(f"repetition_{number}") or next(iter(by_draw.values()), None)
    probabilities = predictions.drop(columns=["image_id", "label"]).to_numpy()
    labels = predictions["label"].to_numpy()
    kept = history[history["kept"].astype(bool)].iloc[-1]
    seconds = {
        "personalise": learned.seconds if learned else 0.0,
        "bring_images": images.ledger.get("seconds", 0.0) if images is not None else 0.0,
        "train": float(history["seconds"].iloc[-1]),
    }
    many_classes = probabilities.shape[1] > 5
    return {
        "repetition": int(number),
        "top1": top_k_accuracy(probabilities, labels),
        "top5": top_k_accuracy(probabilities, labels, k=5) if many_classes else None,
        "val_top1": float(kept["val_top1"]),
        "best_step": int(kept["step"]),
        "images_added": len(images) if images is not None else 0,
        "label_agreement": quality.pop("label_agreement", None),
        "agreement_by": quality.pop("agreement_by", None),
        "set": quality or None,  # the other figures of the added images, and of which draw they are
        "diverged": learned.curve.diverged if learned else None,
        "seconds": seconds,
        "ledger": _totals(images.ledger) if images is not None else {},
    }


def _totals(ledger: Mapping[str, Any]) -> dict[str, int]:
    """The ledger summed over classes."""
    classes = list(ledger.get("classes", {}).values())
    return {column: int(np.sum([each[column] for each in classes])) for column in (classes[0] if classes else {})}
