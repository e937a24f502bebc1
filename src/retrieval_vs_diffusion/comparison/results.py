"""The results of one strategy, its repetitions brought together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval_vs_diffusion.comparison.accuracy import top_k_accuracy
from retrieval_vs_diffusion.comparison.outcomes import outcomes_table
from retrieval_vs_diffusion.comparison.results_digest import digest_of_repetition
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.models.cost_meter import Cost

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = 6  # images of each class that the report shows, and as many refused ones
EXAMPLE_CLASSES = 20


def gather(
    about: Mapping[str, Any], repetitions: Sequence[str], artifacts: Mapping[str, Any]
) -> tuple[dict[str, Any], ImageTable, pd.DataFrame]:
    """Bring together what a strategy's repetitions made.

    Args:
        about: the strategy: its ``strategy`` name, ``arm``, ``description`` and kinds of ``steps``.
        repetitions: their numbers.
        artifacts: for each repetition r ``predictions_r``, ``history_r``, ``training_record_r``, and where
            there are any ``images_r`` (the added ones) and ``quality_r`` (as ``measure_set`` gives it); of the
            first draw ``refused_0_<step>``; ``learned`` by draw with a personalisation, ``originals``
            where nothing is added.

    Returns:
        Results that JSON can hold; examples of the first repetition's images, used and refused; and the
        predicted class of every test image in every repetition.
    """
    rows = [_repetition(number, artifacts) for number in repetitions]
    shown = [artifacts.get(f"images_{repetitions[0]}", artifacts.get("originals"))]
    shown += [artifacts[name] for name in sorted(artifacts) if name.startswith("refused_0_")]
    examples = ImageTable.concatenate([_first_classes(each) for each in shown if each is not None and len(each)])
    outcomes = outcomes_table({int(number): artifacts[f"predictions_{number}"] for number in repetitions})
    return {**about, "repetitions": rows}, examples, outcomes


def _first_classes(images: ImageTable) -> ImageTable:
    return images.take(np.flatnonzero(images.labels() < EXAMPLE_CLASSES)).first_of_each_class(EXAMPLES)


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
    many_classes = probabilities.shape[1] > 5
    steps = images.ledger.get("steps", []) if images is not None else []
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
        **_cost(artifacts[f"training_record_{number}"], steps, images, learned),
        "ledger": [step["classes"] for step in steps],
        "digest": digest_of_repetition(images, predictions),
    }


def _cost(
    record: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], images: ImageTable | None, learned: Any
) -> dict[str, Any]:
    """What a repetition took: ``seconds`` by stage, GPU, FLOPs of the diffusion model, bytes that are kept."""
    training = Cost.from_dict(record["cost"])
    whole = sum((Cost.from_dict(step["cost"]) for step in steps), training)
    if learned:
        whole = whole + learned.cost
    return {
        "seconds": {
            "personalise": learned.cost.seconds if learned else 0.0,
            "bring": sum((step["seconds"]["bring"] for step in steps), 0.0),
            "screen": sum((step["seconds"]["screen"] for step in steps), 0.0),
            "train": training.seconds,
        },
        "gpu_seconds": whole.gpu_seconds,
        "peak_memory_bytes": whole.peak_memory_bytes,
        "flops": whole.flops,
        "stored_bytes": (sum(map(len, images.encoded())) if images is not None else 0)
        + (learned.stored_bytes if learned else 0),
    }
