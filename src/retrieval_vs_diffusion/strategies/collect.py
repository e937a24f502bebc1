"""Collecting a strategy's images: propose, screen, and ask again for what was refused."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import Any

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.screening import REASONS, Gate
from retrieval_vs_diffusion.strategies.source import ImageSource, Surroundings, consumes_previous

logger = logging.getLogger(__name__)


def collect(source: ImageSource, per_class: int, surroundings: Surroundings, gate: Gate) -> ImageTable:
    """Bring ``per_class`` screened images of every class, or as many as the source has.

    Images of earlier steps (``surroundings.previous``) are kept and count towards the number, but for a
    source that makes its images from them.

    Returns:
        The images by class and number, with a ledger: for each class the images ``asked``, ``made``
        (found or generated), refused for each of ``REASONS``, ``topped_up`` (made after the first
        round), ``used`` and ``short_by``; and the ``seconds`` that it took with the steps before.

    Raises:
        ValueError: if the source brings images of a class that it was not asked for, or more of them.
    """
    started = time.perf_counter()
    names = surroundings.class_names
    previous = None if consumes_previous(source) else surroundings.previous
    kept: list[list[dict[str, Any]]] = [[] for _ in names]
    if previous is not None:
        gate.judge(previous.table.to_pylist())  # so that their duplicates are refused
        for row in previous.table.to_pylist():
            kept[row["label"]].append(row)
    counts = [dict.fromkeys(("made", *REASONS, "topped_up"), 0) for _ in names]
    earlier = [len(rows) for rows in kept]
    for attempt in range(gate.settings.rounds):
        missing = {label: per_class - len(rows) for label, rows in enumerate(kept) if len(rows) < per_class}
        if not missing:
            break
        first = {label: counts[label]["made"] for label in missing}
        rows = list(source.propose(missing, first, surroundings))
        if not rows:
            break
        _check_brought(rows, missing, surroundings)
        for row, reason in zip(rows, gate.judge(rows), strict=True):
            count = counts[row["label"]]
            count["made"] += 1
            count["topped_up"] += attempt > 0
            if reason is None:
                kept[row["label"]].append(row)
            else:
                count[reason] += 1
    by_class = {}
    for label, name in enumerate(names):
        used = len(kept[label]) - earlier[label]
        asked = max(0, per_class - earlier[label])
        by_class[name] = {"asked": asked, **counts[label], "used": used, "short_by": asked - used}
    short = sum(each["short_by"] for each in by_class.values())
    if short:
        logger.warning("%s: %d of %d images could not be brought", surroundings.strategy, short, per_class * len(names))
    earlier_seconds = surroundings.previous.ledger.get("seconds", 0.0) if surroundings.previous is not None else 0.0
    ledger = {"classes": by_class, "seconds": time.perf_counter() - started + earlier_seconds}
    return ImageTable.from_rows((row for rows in kept for row in rows), ledger)


def _check_brought(rows: list[dict[str, Any]], asked: dict[int, int], surroundings: Surroundings) -> None:
    brought = Counter(row["label"] for row in rows)
    for label, count in brought.items():
        if count > asked.get(label, 0):
            raise ValueError(
                f"{surroundings.strategy}: its source brought {count} images of class {label}, "
                f"asked for {asked.get(label, 0)}"
            )


def total(ledger: dict[str, Any], column: str) -> int:
    """Sum of one column of a ledger over its classes."""
    return sum(each[column] for each in ledger.get("classes", {}).values())
