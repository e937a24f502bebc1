"""The ledger: what became of every image that was asked for, by strategy, step and class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from retrieval_vs_diffusion.images.screening import REASONS

COUNTS = ("asked", "brought", *REASONS, "topped_up", "used", "short_by")
COLUMNS = ("strategy", "step", "kind", "class", *COUNTS)


def ledger(results: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row for each strategy, step and class, summed over repetitions.

    ``brought`` (found or generated) is what was used and what was refused for each reason; ``asked`` is
    what was used and what is short. ``topped_up`` counts those of ``brought`` that replace refused ones.
    A step may fill what the one before it left short, or make its images from them.
    """
    rows: list[dict[str, Any]] = []
    for result in results:
        sums: dict[tuple[int, str], dict[str, int]] = {}
        for repetition in result["repetitions"]:
            for number, step in enumerate(repetition["ledger"]):
                for name, line in step.items():
                    total = sums.setdefault((number, name), dict.fromkeys(COUNTS, 0))
                    for column in COUNTS:
                        total[column] += line[column]
        kinds = result["steps"]
        rows += [
            {"strategy": result["strategy"], "step": number + 1, "kind": kinds[number], "class": name, **line}
            for (number, name), line in sums.items()
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def short_of_asked(result: Mapping[str, Any]) -> tuple[int, int]:
    """Images that a strategy lacks after its last step, and all that it should have added; repetitions together."""
    lasts = [each["ledger"][-1] for each in result["repetitions"] if each["ledger"]]
    short = sum(line["short_by"] for last in lasts for line in last.values())
    return short, short + sum(each["images_added"] for each in result["repetitions"])


def totals(steps: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, int]:
    """A repetition's ledger in one line: all steps and classes together.

    What a step left short counts once, as the last step leaves it, and so does what was asked for.
    """
    lines = [line for step in steps for line in step.values()]
    if not lines:
        return {}
    summed = {column: sum(line[column] for line in lines) for column in COUNTS}
    short_by = sum(line["short_by"] for line in steps[-1].values())
    return {**summed, "asked": summed["used"] + short_by, "short_by": short_by}
