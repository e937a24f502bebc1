"""From a survey and a pilot to what a whole run takes: a line for each piece of work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from retrieval_vs_diffusion.comparison.baseline import BASELINE
from retrieval_vs_diffusion.images.target import times_originals
from retrieval_vs_diffusion.planning import work
from retrieval_vs_diffusion.planning.asked import Asked
from retrieval_vs_diffusion.planning.surveyed import Surveyed
from retrieval_vs_diffusion.planning.timings import PilotTimings

SHARED = "(all rows)"  # the line of what every row needs
SIZE_CURVE, LEAK_COMPARISON = "(size curve)", "(leaks let in)"
COLUMNS = (
    *("strategy", "what", "times", "images", "seconds", "hours", "gpu_hours"),
    *("bytes", "price", "counted", "peak_memory_bytes", "note"),
)
_READ_BYTES_A_SECOND = 5e8  # of embeddings that a pool came with


@dataclass(frozen=True)
class Line:
    """One piece of work.

    Args:
        strategy: the row, or what it stands beside.
        what: is done.
        times: how often, in all repetitions.
        images: that each time brings, trains on or tests.
        seconds: of each time; None where the pilot could not tell.
        on_gpu: whether it runs on the GPU, where there is one.
        bytes: on disk, of each time.
        counted: False for what is shared and counted in an earlier row.
        peak_memory_bytes: of the GPU; None where that is not known.
        note: what a reader should know.
    """

    strategy: str
    what: str
    times: int
    images: int
    seconds: float | None
    on_gpu: bool
    bytes: float = 0.0
    counted: bool = True
    peak_memory_bytes: int | None = None
    note: str = ""


def plan_table(asked: Asked, there: Surveyed, timings: PilotTimings, workers: int) -> pd.DataFrame:
    """All lines as a table with the columns ``COLUMNS``.

    ``seconds`` are of all times together, one after the other; ``hours`` on the clock, with as many side by side as
    there are workers; ``price`` is of the hours.

    Args:
        asked: what a run would make.
        there: what there is.
        timings: what the pilot took.
        workers: that run side by side; 1 with a GPU.
    """
    gpu = timings.device == "cuda"
    side_by_side = 1 if gpu else workers
    rows = []
    for line in [*_shared(asked, there, timings), *_of_rows(asked, there, timings), *_beside(asked, there, timings)]:
        seconds = float("nan") if line.seconds is None else line.seconds * line.times
        hours = seconds / 3600 / max(1, min(side_by_side, line.times))
        rows.append(
            {
                "strategy": line.strategy,
                "what": line.what,
                "times": line.times,
                "images": line.images,
                "seconds": seconds,
                "hours": hours,
                "gpu_hours": seconds / 3600 if gpu and line.on_gpu else 0.0,
                "bytes": line.bytes * line.times,
                "price": hours * asked.price.per_hour,
                "counted": line.counted,
                "peak_memory_bytes": line.peak_memory_bytes,
                "note": line.note,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _shared(asked: Asked, there: Surveyed, timings: PilotTimings) -> Iterator[Line]:
    images = sum(there.count(part) for part in there.images)
    stored = images * there.image_bytes
    yield Line(SHARED, "read target", 1, images, images * there.seconds_an_image, False, stored)
    val = there.count("val")
    yield Line(SHARED, "embed validation", 1, val, val * timings.embed_seconds, True, 4.0 * val * timings.width)
    pool = there.pool
    if pool is None:
        return
    seconds = pool.rows * pool.seconds_an_image
    how = "" if pool.exact else f"estimate: {pool.how}"
    yield Line(SHARED, "read pool", 1, pool.rows, seconds, False, pool.usable * pool.image_bytes, note=how)
    if pool.links:
        read = 2.0 * pool.rows * timings.width / _READ_BYTES_A_SECOND
        yield Line(SHARED, "read embeddings", 1, pool.rows, read, False, note="reckoned at 500 MB a second")
    else:
        stored = 4.0 * pool.usable * timings.width
        yield Line(SHARED, "embed pool", 1, pool.usable, pool.usable * timings.embed_seconds, True, stored)
    seconds = work.index_seconds(pool.usable, timings.width, asked.index, timings.search_flops)
    stored = 0.0 if pool.given_index else work.index_bytes(pool.usable, timings.width, asked.index)
    yield Line(SHARED, "index pool", 1, pool.usable, seconds, False, stored, note="reckoned from a search's speed")


def _of_rows(asked: Asked, there: Surveyed, timings: PilotTimings) -> Iterator[Line]:
    learned: set[str] = set()
    for name, row in asked.rows.items():
        if row.personalise is not None:
            yield _learning(name, row.personalise, row.personalise not in learned, asked, there, timings)
            learned.add(row.personalise)
        if row.added_per_original:
            yield _bringing(name, name, asked, there, timings)
            yield _measuring(name, asked, there, timings)
        originals = asked.originals(there.images["reservoir"], there.classes)
        images = sum(originals) + asked.added(name, originals)
        yield from _training(name, name, images, asked.repetitions, asked, there, timings)


def _beside(asked: Asked, there: Surveyed, timings: PilotTimings) -> Iterator[Line]:
    """What a run makes beside its rows."""
    originals = asked.originals(there.images["reservoir"], there.classes)
    for times in asked.sizes:
        numbers = zip(times_originals(originals, times), there.images["reservoir"], strict=True)
        images = sum(min(number, most) for number, most in numbers)
        yield from _training(SIZE_CURVE, BASELINE, images, asked.repetitions, asked, there, timings)
    for name in asked.leaky:
        yield _bringing(LEAK_COMPARISON, name, asked, there, timings)
        images = sum(originals) + asked.added(name, originals)
        yield from _training(LEAK_COMPARISON, name, images, asked.repetitions, asked, there, timings)


def _learning(name: str, personalise: str, counted: bool, asked: Asked, there: Surveyed, timings: PilotTimings) -> Line:
    originals = sum(asked.originals(there.images["reservoir"], there.classes))
    timing, training = timings.learn.get(personalise), asked.training[personalise]
    if timing is None:
        note = timings.failed.get(name, "")
        return Line(name, "personalise", asked.personalisation_draws, originals, None, True, 0.0, counted, note=note)
    note = "may stop early" if training is not None else ""
    return Line(
        name,
        "personalise",
        asked.personalisation_draws,
        originals,
        work.learn_seconds(timing, training, originals),
        True,
        work.learned_bytes(timing, len(there.classes)),
        counted,
        timing.peak_memory_bytes,
        note if counted else f"{personalise} is counted above",
    )


def _bringing(shown_as: str, name: str, asked: Asked, there: Surveyed, timings: PilotTimings) -> Line:
    originals = asked.originals(there.images["reservoir"], there.classes)
    images, timing = asked.added(name, originals), timings.rows.get(name)
    if timing is None:
        note = timings.failed.get(name, "")
        return Line(shown_as, "bring", asked.image_draws, images, None, True, note=note)
    pool = there.pool.usable if there.pool is not None else 0
    search = work.search_seconds(pool, timings.width, asked.index, timings.search_flops)
    classes = len(there.classes)
    seconds = sum(work.bring_seconds(step, images, classes, sum(originals), search) for step in timing.steps)
    downloads = there.pool is not None and there.pool.links and any(step.kind == "retrieve" for step in timing.steps)
    stored = work.tables_bytes(timing, images) * (2 if downloads else 1)  # kept as they came, and as they are used
    peak = _largest([step.peak_memory_bytes for step in timing.steps])
    what = " + ".join(dict.fromkeys(step.kind for step in timing.steps))
    return Line(shown_as, what, asked.image_draws, images, seconds, True, stored, peak_memory_bytes=peak)


def _measuring(name: str, asked: Asked, there: Surveyed, timings: PilotTimings) -> Line:
    images = asked.added(name, asked.originals(there.images["reservoir"], there.classes))
    timing = timings.rows.get(name)
    known = timing.measure_seconds if timing is not None else None
    seconds, note = (images * known, "") if known is not None else (None, timings.failed.get(name, ""))
    return Line(name, "measure set", asked.image_draws, images, seconds, True, note=note)


def _training(
    shown_as: str, name: str, images: int, times: int, asked: Asked, there: Surveyed, timings: PilotTimings
) -> Iterator[Line]:
    timing, test = timings.train.get(name), there.count("test")
    if timing is None:
        yield Line(shown_as, "train", times, images, None, True, note=timings.failed.get(name, ""))
        return
    seconds = work.train_seconds(timing, asked.recipes[name], images, there.count("val"))
    peak = timing.peak_memory_bytes
    yield Line(shown_as, "train", times, images, seconds, True, timing.bytes, peak_memory_bytes=peak)
    stored = work.predictions_bytes(test, len(there.classes))
    yield Line(shown_as, "test", times, test, work.test_seconds(timing, test), True, stored)


def _largest(values: Sequence[int | None]) -> int | None:
    return max((each for each in values if each is not None), default=None)
