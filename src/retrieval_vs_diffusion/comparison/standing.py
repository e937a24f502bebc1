"""Which rows may stand for their arm, and what must be known to read a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from retrieval_vs_diffusion.comparison.leaderboard import label_agreement
from retrieval_vs_diffusion.comparison.ledger import short_of_asked


def best_of_arm(results: Iterable[Mapping[str, Any]], arm: str, low_label_agreement: float) -> str | None:
    """The arm's best row by validation; None where no row may stand for it.

    Rows whose images do not show their class, whose personalisation diverged or whose classifier is
    trained by another recipe stand for nothing.
    """
    strong = [
        result
        for result in results
        if result.get("arm") == arm
        and not label_agreement(result) < low_label_agreement
        and not result.get("own_recipe")
        and not _diverged(result)
    ]
    best = max(strong, key=lambda each: np.mean([r["val_top1"] for r in each["repetitions"]]), default=None)
    return best["strategy"] if best else None


def weakly_labelled(results: Iterable[Mapping[str, Any]], low_label_agreement: float) -> list[str]:
    """The rows whose images show their class too seldom to tell of the strategy."""
    return [each["strategy"] for each in results if label_agreement(each) < low_label_agreement]


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
