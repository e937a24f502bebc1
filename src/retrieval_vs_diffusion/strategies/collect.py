"""Collecting a strategy's images: propose, screen, and ask again for what was refused."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.screening import REASONS, Gate, reason_of
from retrieval_vs_diffusion.strategies.source import ImageSource, Surroundings, consumes_previous

logger = logging.getLogger(__name__)

EXAMPLES = 4  # refused images that are kept of each class and reason


@dataclass(frozen=True)
class Collected:
    """What one step brought.

    Args:
        images: those that came through, by class and number; their ledger has an entry a step.
        refused: examples of those that did not, with why in ``refused``.
    """

    images: ImageTable
    refused: ImageTable


def collect(source: ImageSource, per_class: Sequence[int], surroundings: Surroundings, gate: Gate) -> Collected:
    """Bring ``per_class[label]`` screened images of every class, or as many as the source has.

    Images of earlier steps (``surroundings.previous``) are kept and count towards the number, but for a
    source that makes its images from them.

    Returns:
        The images, with a ledger ``{"steps": [...]}`` to which this step's entry is added: under ``classes``
        for each class the images ``asked``, ``brought`` (found or generated), refused for each of
        ``REASONS``, ``topped_up`` (brought after the first round), ``used`` and ``short_by``, so that
        ``brought`` is what was used and refused, and ``asked`` what was used and is short; under ``seconds``
        what ``bring`` and ``screen`` took.

    Raises:
        ValueError: if the source brings images of a class that it was not asked for, or more of them, or marks
            some as refused for a reason that the ledger does not know.
    """
    previous = None if consumes_previous(source) else surroundings.previous
    kept: list[list[dict[str, Any]]] = [[] for _ in surroundings.class_names]
    if previous is not None:
        gate.judge(previous.table.to_pylist())  # so that their duplicates are refused
        for row in previous.table.to_pylist():
            kept[row["label"]].append(row)
    earlier = [len(rows) for rows in kept]
    counts = [dict.fromkeys(("brought", *REASONS, "topped_up"), 0) for _ in kept]
    seconds = {"bring": 0.0, "screen": 0.0}
    examples: list[dict[str, Any]] = []
    exhausted: set[int] = set()
    for attempt in range(gate.settings.rounds):
        missing = {
            label: per_class[label] - len(rows)
            for label, rows in enumerate(kept)
            if len(rows) < per_class[label] and label not in exhausted
        }
        if not missing:
            break
        started = time.perf_counter()
        first = {label: counts[label]["brought"] for label in missing}
        rows = list(source.propose(missing, first, surroundings))
        brought_at = time.perf_counter()
        seconds["bring"] += brought_at - started
        if not rows:
            break
        _check_brought(rows, missing, surroundings)
        for row, refused in zip(rows, gate.judge(rows), strict=True):
            count = counts[row["label"]]
            count["brought"] += 1
            count["topped_up"] += attempt > 0
            if refused is None:
                kept[row["label"]].append(row)
                continue
            reason = reason_of(refused)
            count[reason] += 1
            if count[reason] <= EXAMPLES and row.get("image"):
                examples.append({**row, "refused": refused})
            if reason == "below_floor":  # a source shows those when nothing above its floor is left
                exhausted.add(row["label"])
        seconds["screen"] += time.perf_counter() - brought_at
    classes = {
        name: _line(counts[label], max(0, per_class[label] - earlier[label]), len(kept[label]) - earlier[label])
        for label, name in enumerate(surroundings.class_names)
    }
    short = sum(each["short_by"] for each in classes.values())
    if short:
        by_reason = {reason: sum(count[reason] for count in counts) for reason in REASONS}
        why = ", ".join(f"{number} {reason}" for reason, number in by_reason.items() if number)
        empty = [name for name, rows in zip(surroundings.class_names, kept, strict=True) if not rows]
        logger.warning(
            "%s: %d of %d images could not be brought (refused: %s)%s",
            surroundings.strategy,
            short,
            sum(per_class),
            why.replace("_", " ") or "none; the source has no more",
            f"; {len(empty)} of {len(kept)} classes have none, e.g. {empty[0]}" if empty else "",
        )
    steps = [*steps_of(surroundings.previous), {"classes": classes, "seconds": seconds}]
    images = ImageTable.from_rows((row for rows in kept for row in rows), {"steps": steps})
    return Collected(images, ImageTable.from_rows(examples))


def _line(counts: dict[str, int], asked: int, used: int) -> dict[str, int]:
    return {"asked": asked, **counts, "used": used, "short_by": asked - used}


def _check_brought(rows: list[dict[str, Any]], asked: dict[int, int], surroundings: Surroundings) -> None:
    brought = Counter(row["label"] for row in rows if row.get("refused") is None or reason_of(row["refused"]) != "dead")
    for label, count in brought.items():
        if count > asked.get(label, 0):
            raise ValueError(
                f"{surroundings.strategy}: its source brought {count} images of class {label}, "
                f"asked for {asked.get(label, 0)}"
            )
    strange = {reason_of(row["refused"]) for row in rows if row.get("refused") is not None} - set(REASONS)
    if strange:
        raise ValueError(
            f"{surroundings.strategy}: its source refuses images as {sorted(strange)}; the reasons are {REASONS}"
        )


def steps_of(images: ImageTable | None) -> list[dict[str, Any]]:
    """The ledger's entries of the steps that brought a table's images, in order."""
    return list(images.ledger.get("steps", [])) if images is not None else []


def total(step: dict[str, Any], column: str) -> int:
    """Sum of one column of a step's entry over its classes."""
    return sum(each[column] for each in step["classes"].values())
