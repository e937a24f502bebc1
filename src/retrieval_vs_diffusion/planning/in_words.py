"""A plan in one sentence, and what one should know of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from retrieval_vs_diffusion.planning.asked import Asked
from retrieval_vs_diffusion.planning.extrapolation import LEAK_COMPARISON, SHARED, SIZE_CURVE
from retrieval_vs_diffusion.planning.surveyed import Surveyed
from retrieval_vs_diffusion.planning.timings import PilotTimings

_FEW = 0.7  # a share of images that came through which a user should know of
CAVEAT = (
    "reckoned from a few images: expect the whole within a factor of one and a half, single lines less well, and worse "
    "where others use the machine; saving tables, starting steps and loading models are not in it"
)


def summarise(
    table: pd.DataFrame, classes: pd.DataFrame, asked: Asked, there: Surveyed, timings: PilotTimings
) -> dict[str, Any]:
    """What the terminal shows besides the table.

    Returns:
        ``there`` (what the survey found), ``total`` (``hours``, ``gpu_hours``, ``bytes``, ``price``), ``currency``,
        ``sentence``, ``notes``, ``classes`` (lines on hard ones) and ``device``.
    """
    counted = table[table["counted"]]
    total = {column: float(counted[column].sum()) for column in ("hours", "gpu_hours", "bytes", "price")}
    return {
        "there": _there(there, asked),
        "total": total,
        "currency": asked.price.currency,
        "sentence": _sentence(counted, total, asked),
        "notes": _notes(table, asked, there, timings),
        "classes": _on_classes(classes, there),
        "device": timings.device_name,
        "pilot_seconds": timings.seconds,
    }


def duration(hours: float) -> str:
    """Hours in a unit that fits, e.g. ``3.1 h``, ``12 min``, ``45 s``; a dash where they are not known."""
    if math.isnan(hours):
        return "–"
    seconds = hours * 3600
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{hours:.1f} h" if hours < 99.5 else f"{hours:,.0f} h"


def size(stored: float) -> str:
    """Bytes in a unit that fits, e.g. ``2.4 GB``."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while stored >= 999.5 and len(units) > 1:
        stored /= 1000
        units.pop(0)
    return f"{stored:,.0f} {units[0]}" if stored >= 9.95 or units[0] == "B" else f"{stored:.1f} {units[0]}"


def money(price: float, currency: str = "") -> str:
    """A price, with as many decimals as tell something."""
    digits = 2 if price >= 0.095 or price == 0 else 4
    return f"{currency} {price:,.{digits}f}".strip()


def _there(there: Surveyed, asked: Asked) -> str:
    originals = asked.originals(there.images["reservoir"], there.classes)
    few, many = min(originals), max(originals)
    each = f"{few}" if few == many else f"{few} to {many}"
    target = (
        f"{len(there.classes):,} classes of {each} originals ({sum(originals):,} of {there.count('reservoir'):,} "
        f"images), {there.count('val'):,} for validation, {there.count('test'):,} for test"
    )
    if there.pool is None:
        return f"{target}; no pool"
    about = "" if there.pool.exact else "about "
    what = "links" if there.pool.links else "images"
    usable = "" if there.pool.usable_share > 0.995 else f", of which {there.pool.usable_share:.0%} can be used"
    return f"{target}; a pool of {about}{there.pool.rows:,} {what}{usable} ({there.pool.how})"


def _sentence(counted: pd.DataFrame, total: dict[str, float], asked: Asked) -> str:
    rows, repetitions = len(asked.rows), asked.repetitions
    gpu = f" ({duration(total['gpu_hours'])} of a GPU)" if total["gpu_hours"] else ""
    return (
        f"about {duration(total['hours'])}{gpu} and {size(total['bytes'])}, "
        f"{money(total['price'], asked.price.currency)}, for {rows} row{'s' if rows > 1 else ''} of {repetitions} "
        f"repetition{'s' if repetitions > 1 else ''}; most of it: {_dearest(counted)}"
    )


def _dearest(counted: pd.DataFrame) -> str:
    """The row, or what stands beside the rows, that takes the most hours."""
    hours = counted.groupby("strategy", sort=False)["hours"].sum()
    name = str(hours.idxmax())
    named = {SHARED: "reading and indexing", SIZE_CURVE: "the size curve", LEAK_COMPARISON: "rows with leaks let in"}
    return named.get(name, name)


def _notes(table: pd.DataFrame, asked: Asked, there: Surveyed, timings: PilotTimings) -> list[str]:
    notes = [CAVEAT]
    if there.pool is not None and not there.pool.exact:
        notes.append(f"the pool's {there.pool.rows:,} images are an estimate: {there.pool.how}")
    by_reason: dict[str, list[str]] = {}
    for name, reason in timings.failed.items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        notes.append(f"could not be tried and is missing from the totals: {', '.join(names)}, {reason}")
    for name, row in timings.rows.items():
        if row.came_through < _FEW:
            notes.append(f"{name}: {row.came_through:.0%} of the images asked for in the pilot were there in the end")
    peak = table["peak_memory_bytes"].dropna()
    if len(peak):
        notes.append(f"the GPU's memory: {size(float(peak.max()))} at most in the pilot")
    return [*notes, *asked.left_out]


def _on_classes(classes: pd.DataFrame, there: Surveyed) -> list[str]:
    lines = []
    if there.pool is None:
        lines.append("hard to retrieve: not told, for want of a pool")
    else:
        hard = classes[classes["hard_to_retrieve"] != ""]
        looked = f"by their prompts, among {there.pool.sample:,} images of the pool"
        lines.append(f"hard to retrieve {looked}: {_listed(hard['class'].tolist())}")
        if (classes["wanted"] * there.pool.sample < there.pool.usable).any():
            lines.append("too small a sample to tell whether classes have enough images in the pool (plan.pool_sample)")
    tried = classes[classes["generated"] > 0]
    if tried.empty:
        lines.append("hard to generate: not told, for no image was generated")
    else:
        hard = tried[tried["hard_to_generate"] != ""]
        lines.append(f"hard to generate, of {_listed(tried['class'].tolist())}: {_listed(hard['class'].tolist())}")
    return lines


def _listed(names: Sequence[str], most: int = 8) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
