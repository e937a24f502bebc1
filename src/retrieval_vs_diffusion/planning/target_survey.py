"""How many classes and images the target has, and a few images of a few of its classes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from retrieval_vs_diffusion.images.image_stream import ImageStream
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.readers.labelled_images import LabelledImages
from retrieval_vs_diffusion.images.target import Target
from retrieval_vs_diffusion.planning.target_listing import list_target, read_listed
from retrieval_vs_diffusion.seeds import derive_seed

PARTS = ("test", "val", "reservoir")  # in the order in which a reader's parts are gone through


@dataclass(frozen=True)
class Survey:
    """What a reader can tell of its images without reading them, by its method ``survey`` where it has one.

    Args:
        classes: their names by label; none for a pool.
        images_by_part: of a target by part (``test``, ``val``, ``reservoir``) the images of each label; of a pool
            under ``pool`` one number.
    """

    classes: tuple[str, ...]
    images_by_part: Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class TargetSample:
    """A target's numbers, and images of some of its classes.

    Args:
        survey: numbers of all classes.
        labels: the classes that the pilot tries, ascending.
        parts: images of those classes alone, with the labels that they have in the whole target.
        seconds_an_image: to read one.
    """

    survey: Survey
    labels: tuple[int, ...]
    parts: Mapping[str, ImageTable]
    seconds_an_image: float


def survey_target(reader: Any, classes: int, per_class: int, seed: int) -> TargetSample:
    """Count, and take ``per_class`` validation images and twice as many of the reservoir of some classes.

    Of test images none is taken. A user's collection is listed, not read; of what a reader can only read, as much is
    read as is needed.

    Args:
        reader: a part with ``read() -> Target``.
        classes: how many classes are tried; those of all are drawn.
        per_class: images of each.
        seed: of the draw.
    """
    limits = {"val": per_class, "reservoir": 2 * per_class}
    if isinstance(reader, LabelledImages):
        listed = list_target(reader)
        survey = Survey(listed.class_names, listed.counts())
        labels = draw_classes(len(survey.classes), classes, seed)
        started = time.perf_counter()
        parts = read_listed(reader, listed, labels, limits)
        return TargetSample(survey, labels, parts, _an_image(started, sum(map(len, parts.values()))))
    started = time.perf_counter()
    target = reader.read()
    if all(isinstance(getattr(target, part), ImageTable) for part in PARTS):
        spent = time.perf_counter() - started
        survey = Survey(target.class_names, _counts(target))
        labels = draw_classes(len(survey.classes), classes, seed)
        chosen = {part: _of_table(getattr(target, part), labels, limits[part]) for part in limits}
        return TargetSample(survey, labels, chosen, spent / max(1, sum(map(sum, survey.images_by_part.values()))))
    return _of_streams(target, classes, limits, seed)


def draw_classes(there: int, wanted: int, seed: int) -> tuple[int, ...]:
    """Labels of some classes, ascending."""
    drawn = np.random.default_rng(derive_seed("plan", seed)).permutation(there)[:wanted]
    return tuple(sorted(int(label) for label in drawn))


def _counts(target: Target) -> dict[str, list[int]]:
    classes = len(target.class_names)
    tables = {part: getattr(target, part) for part in PARTS}
    return {part: np.bincount(table.labels(), minlength=classes).tolist() for part, table in tables.items()}


def _of_table(table: ImageTable, labels: Sequence[int], limit: int) -> ImageTable:
    limits = np.zeros(max([*table.labels().tolist(), *labels]) + 1, dtype=np.int64)
    limits[list(labels)] = limit
    return table.first_of_each_class(limits.tolist())


def _of_streams(target: Target, classes: int, limits: Mapping[str, int], seed: int) -> TargetSample:
    """Streams are gone through once and to the end: nothing else tells how much is in them."""
    labels = draw_classes(len(target.class_names), classes, seed)
    counts: dict[str, list[int]] = {}
    parts: dict[str, ImageTable] = {}
    started = time.perf_counter()
    for part in PARTS:
        images: ImageTable | ImageStream = getattr(target, part)
        rows = images if isinstance(images, ImageStream) else images.table.to_pylist()
        counts[part], kept = _gone_through(rows, len(target.class_names), labels, limits.get(part, 0))
        if part in limits:
            parts[part] = ImageTable.from_rows(kept)
    read = sum(map(sum, counts.values()))
    return TargetSample(Survey(tuple(target.class_names), counts), labels, parts, _an_image(started, read))


def _gone_through(
    rows: Iterable[Mapping[str, Any]], classes: int, labels: Sequence[int], limit: int
) -> tuple[list[int], list[Mapping[str, Any]]]:
    counts, kept = [0] * classes, []
    for row in rows:
        label = row["label"]
        counts[label] += 1
        if label in labels and counts[label] <= limit:
            kept.append(row)
    return counts, sorted(kept, key=lambda row: row["label"])


def _an_image(started: float, images: int) -> float:
    return (time.perf_counter() - started) / max(1, images)


def first_rows(images: ImageTable | ImageStream, limit: int) -> ImageTable:
    """The first rows of a table, or of a stream that is read no further; its ledger is that of the rows read."""
    if isinstance(images, ImageStream):
        rows = list(islice(images, limit))
        return ImageTable.from_rows(rows, images.ledger)
    taken = images.take(range(min(limit, len(images))))
    return ImageTable(taken.table, images.ledger)
