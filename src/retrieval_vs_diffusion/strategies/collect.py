"""Collecting a strategy's images: propose, screen, and ask again for what was refused."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.screening import REASONS, Gate, reason_of
from retrieval_vs_diffusion.images.spooled_rows import SpooledRows
from retrieval_vs_diffusion.strategies.source import ImageSource, Surroundings, consumes_previous
from retrieval_vs_diffusion.unfinished import unfinished

logger = logging.getLogger(__name__)

EXAMPLES = 4  # refused images that are kept of each class and reason
_AT_ONCE = 256  # images of an earlier step that are read together


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
    # Images are kept by their numbers: they themselves, which may be many, go into a file.
    spooled = SpooledRows(unfinished().scratch)
    kept: list[list[int]] = [[] for _ in surroundings.class_names]
    if previous is not None:
        for row, _ in gate.judged(_rows_of(previous)):  # judged so that their duplicates are refused
            kept[row["label"]].append(spooled.add(row))
    earlier = [len(rows) for rows in kept]
    counts = [dict.fromkeys(("brought", *REASONS, "topped_up"), 0) for _ in kept]
    seconds = {"bring": 0.0, "screen": 0.0}
    examples: list[Mapping[str, Any]] = []
    exhausted: set[int] = set()
    for attempt in range(gate.settings.rounds):
        missing = {
            label: per_class[label] - len(rows)
            for label, rows in enumerate(kept)
            if len(rows) < per_class[label] and label not in exhausted
        }
        if not missing:
            break
        started, bringing_before = time.perf_counter(), seconds["bring"]
        first = {label: counts[label]["brought"] for label in missing}
        proposed = _timed(source.propose(missing, first, surroundings), seconds)
        brought = 0
        for row, refused in gate.judged(_checked(proposed, missing, surroundings)):
            brought += 1
            count = counts[row["label"]]
            count["brought"] += 1
            count["topped_up"] += attempt > 0
            if refused is None:
                kept[row["label"]].append(spooled.add(row))
                continue
            reason = reason_of(refused)
            count[reason] += 1
            if count[reason] <= EXAMPLES and row.get("image"):
                examples.append({**row, "refused": refused})
            if reason == "below_floor":  # a source shows those when nothing above its floor is left
                exhausted.add(row["label"])
        seconds["screen"] += time.perf_counter() - started - (seconds["bring"] - bringing_before)
        if not brought:
            break
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
    images = spooled.table([number for numbers in kept for number in numbers], {"steps": steps})
    return Collected(images, ImageTable.from_rows(examples))


def _line(counts: dict[str, int], asked: int, used: int) -> dict[str, int]:
    return {"asked": asked, **counts, "used": used, "short_by": asked - used}


def _rows_of(images: ImageTable) -> Iterator[dict[str, Any]]:
    for batch in images.batches(_AT_ONCE):
        yield from batch.table.to_pylist()


def _timed(rows: Iterable[Mapping[str, Any]], seconds: dict[str, float]) -> Iterator[Mapping[str, Any]]:
    """The rows; what it takes to make them is added to ``bring``."""
    source = iter(rows)
    while True:
        started = time.perf_counter()
        row = next(source, None)
        seconds["bring"] += time.perf_counter() - started
        if row is None:
            return
        yield row


def _checked(
    rows: Iterable[Mapping[str, Any]], asked: Mapping[int, int], surroundings: Surroundings
) -> Iterator[Mapping[str, Any]]:
    """The rows while they are such as were asked for; else it counts the rest, and raises."""
    brought: Counter[int] = Counter()
    strange: set[str] = set()
    too_many: dict[int, None] = {}
    for row in rows:
        reason = None if row.get("refused") is None else reason_of(row["refused"])
        if reason is not None and reason not in REASONS:
            strange.add(reason)
        if reason != "dead":
            brought[row["label"]] += 1
            if brought[row["label"]] > asked.get(row["label"], 0):
                too_many[row["label"]] = None
        if not strange and not too_many:
            yield row
    for label in too_many:
        raise ValueError(
            f"{surroundings.strategy}: its source brought {brought[label]} images of class {label}, "
            f"asked for {asked.get(label, 0)}"
        )
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
