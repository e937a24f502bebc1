"""Which rows may stand for their arm, and what must be known to read a row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from retrieval_vs_diffusion.comparison.leaderboard import label_agreement
from retrieval_vs_diffusion.comparison.ledger import short_of_asked


def beside_yardsticks(result: Mapping[str, Any], right_on_val: Mapping[str, float]) -> dict[str, Any]:
    """Results that know how far their label agreement can be trusted.

    A judge that is right on 81 % of real validation images gives a generator whose images are all right about 81 %,
    and zero-shot CLIP may give it 64 %. So a row's agreement is read against what the same yardstick gives real images.

    Args:
        result: of a row, as ``gather`` makes it.
        right_on_val: the yardstick's accuracy on validation images by its name in ``agreement_by``; true labels,
            which need not stand there, are always right.

    Returns:
        The same, with ``agreement_on_val`` in each repetition.
    """
    repetitions = [
        {**each, "agreement_on_val": right_on_val.get(each["agreement_by"], 1.0)} for each in result["repetitions"]
    ]
    return {**result, "repetitions": repetitions}


def best_of_arm(results: Iterable[Mapping[str, Any]], arm: str, low_label_agreement: float) -> str | None:
    """The arm's best row by validation; None where no row may stand for it.

    Rows whose images do not show their class, whose personalisation diverged or whose classifier is
    trained by another recipe stand for nothing. ``low_label_agreement`` is a share of what the yardstick gives real
    validation images, where ``beside_yardsticks`` has told it, and of 1 where not.
    """
    strong = [
        result
        for result in results
        if result.get("arm") == arm
        and not _weak(result, low_label_agreement)
        and not result.get("own_recipe")
        and not _diverged(result)
    ]
    best = max(strong, key=lambda each: np.mean([r["val_top1"] for r in each["repetitions"]]), default=None)
    return best["strategy"] if best else None


def weakly_labelled(results: Iterable[Mapping[str, Any]], low_label_agreement: float) -> list[str]:
    """The rows whose images show their class too seldom to tell of the strategy."""
    return [each["strategy"] for each in results if _weak(each, low_label_agreement)]


def unjudged_arms(results: Iterable[Mapping[str, Any]]) -> set[str]:
    """Arms of whose rows nothing tells whether the images show their class, so that none could be left out for it."""
    known = [(str(each["arm"]), not math.isnan(label_agreement(each))) for each in results]
    return {arm for arm, _ in known} - {arm for arm, judged in known if judged}


def _weak(result: Mapping[str, Any], low_label_agreement: float) -> bool:
    """Whether too few images show their class; of images that nobody judged it is not said."""
    judged = [each for each in result["repetitions"] if each["label_agreement"] is not None]
    if not judged:
        return False
    on_val = float(np.mean([each.get("agreement_on_val", 1.0) for each in judged]))
    return label_agreement(result) < low_label_agreement * on_val


def notes_on(result: Mapping[str, Any]) -> list[str]:
    """What must be known to read a row: learning that diverged, a classifier of its own, images that are short."""
    name = result["strategy"]
    notes = []
    if diverged := _diverged(result):
        notes.append(
            f"{name}: its personalisation diverged ({'; '.join(diverged)}); the last good state was used, and the "
            "row stands for nothing in the sentence"
        )
    if result.get("own_recipe"):
        notes.append(
            f"{name}: its classifier is trained by a recipe of its own ({', '.join(result['own_recipe'])}), which "
            "alone may make the difference to other rows"
        )
    short, asked = short_of_asked(result)
    if short:
        notes.append(f"{name}: {short} of {asked} images could not be brought, all repetitions together")
    return notes


def _diverged(result: Mapping[str, Any]) -> list[str]:
    """In which repetitions the personalisation diverged, and where."""
    return [
        f"repetition {each['repetition']}, {each['diverged']}" for each in result["repetitions"] if each.get("diverged")
    ]
