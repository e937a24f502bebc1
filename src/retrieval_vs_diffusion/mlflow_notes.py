"""What a person reads about a run in MLflow: Markdown, shown above its figures."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from retrieval_vs_diffusion.comparison.sentence import as_words

_MOST_ROWS = 40  # MLflow keeps 8,000 characters of a note


def comparison_name(world: str, key: str, given: Mapping[str, Any]) -> str:
    """A name that tells comparisons of a world apart by what was given on the command line."""
    settings = ", ".join(f"{place}={value}" for place, value in _flat(given))
    return f"{world}{f', {settings}' if settings else ''} ({key})"


def comparison_note(leaderboard: pd.DataFrame, summary: Mapping[str, Any]) -> str:
    """The verdict, and the leaderboard from the best row down."""
    verdict, *more = map(_escaped, as_words(summary))
    lines = [
        "\n\n".join([f"**{verdict}**", *more]),
        "",
        "| strategy | top-1 on test | gain, points | verdict |",
        "|---|---|---|---|",
    ]
    for row in leaderboard.sort_values("top1_mean", ascending=False)[:_MOST_ROWS].itertuples():
        error = "" if math.isnan(row.top1_se) else f" ± {row.top1_se * 100:.1f}"
        gain = "–" if math.isnan(row.gain) else f"{row.gain * 100:+.1f}"
        told = row.verdict if isinstance(row.verdict, str) else ""  # a column of nothing is read as NaN
        lines.append(f"| `{row.strategy}` | {row.top1_mean * 100:.1f} %{error} | {gain} | {told} |")
    return "\n".join([*lines, "", "Everything else stands in `report.html` among the artifacts."])


def repetition_note(description: str, figures: Mapping[str, Any]) -> str:
    """What the strategy is, and what came of this repetition."""
    told = [f"**{figures['top1'] * 100:.1f} %** top-1 on test"]
    if figures["images_added"]:
        agreement = figures["label_agreement"]
        shown = "" if agreement is None else f", {agreement * 100:.0f} % of which show their class"
        told.append(f"{figures['images_added']} images added{shown}")
    seconds = {stage: value for stage, value in figures["seconds"].items() if value}
    stages = ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())
    told.append(f"{sum(seconds.values()):.1f} s ({stages})")
    diverged = f"\n\nIts personalisation diverged: {_escaped(figures['diverged'])}" if figures["diverged"] else ""
    return f"{_escaped(description)}\n\n{'; '.join(told)}.{diverged}"


def failure_note(reason: str) -> str:
    """Why it failed, and how to go on."""
    return f"**Failed:** {_escaped(reason)}\n\nThe same command goes on from what is whole."


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is: descriptions and errors may hold anything; names hold underscores."""
    safe = html.escape(text, quote=False)
    return "".join(f"\\{sign}" if sign in "\\`*_[]#|" else sign for sign in safe)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)
