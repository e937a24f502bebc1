"""The picture of the growth: a row a series; seconds, memory and disk against size, both logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.growth.exponents import at_the_end, fitted
from benchmarks.growth.series import Series

_PANELS = (("seconds", "seconds"), ("peak_mb", "peak memory, MB (dashed: held)"), ("disk_mb", "disk, MB"))
_COLOURS = ("#3b7dd8", "#d9822b", "#2f9e77", "#8e5bc0", "#c0504d", "#7d8894", "#17a2b8")
_LEAST_MB = 1.0  # of memory and disk: what is below is noise, and is not drawn


def draw(rows: Sequence[Mapping[str, Any]], series: Mapping[str, Series], file: Path) -> None:
    """Draw all series into a PNG.

    Args:
        rows: of the CSV.
        series: by name, in the order in which they are drawn.
        file: the picture.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(len(series), len(_PANELS), figsize=(14, 3.4 * len(series)), layout="constrained")
    for line, (name, each) in zip(axes, series.items(), strict=True):
        for panel, (column, label) in zip(line, _PANELS, strict=True):
            _draw_panel(panel, [row for row in rows if row["series"] == name], each, column)
            panel.set_ylabel(label)
            panel.set_xlabel(each.axis)
    figure.suptitle(
        "How it grows: in brackets the fitted exponent, and the one between the two largest sizes", fontsize=12
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=90)
    plt.close(figure)


def _draw_panel(panel: Any, rows: Sequence[Mapping[str, Any]], series: Series, column: str) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    least = _LEAST_MB if column.endswith("_mb") else 0.0
    values: list[float] = []
    for colour, step in zip(_COLOURS, series.steps, strict=False):
        own = [row for row in rows if row["step"] == step]
        sizes, measured = [float(row["size"]) for row in own], [float(row[column]) for row in own]
        if not measured or min(measured) <= least:
            continue
        values += measured
        said = f"{step} ({fitted(sizes, measured):.2f}, {at_the_end(sizes, measured):.2f})"
        panel.plot(sizes, measured, "o-", color=colour, label=said, markersize=4, linewidth=1.5)
        if column == "peak_mb":
            held = [max(least, float(row["held_mb"])) for row in own]
            panel.plot(sizes, held, "--", color=colour, linewidth=1)
            values += held
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xticks(series.sizes)
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.grid(alpha=0.25)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    if not values:
        return
    # A line that grows in proportion, to compare with, and room for the names above the lines.
    low, high = min(values), max(values)
    first, last = series.sizes[0], series.sizes[-1]
    middle = math.sqrt(low * high) / math.sqrt(last / first)
    panel.plot(
        [first, last], [middle, middle * last / first], ":", color="#b0b0b0", linewidth=1, label="in proportion (1.00)"
    )
    high = max(high, 10 * low)
    below_legend = 0.95 - 0.07 * len(panel.get_legend_handles_labels()[1])  # of the panel's height
    bottom = low / 1.5
    panel.set_ylim(bottom, bottom * (high * 1.2 / bottom) ** (1 / below_legend))
    panel.legend(fontsize=7, frameon=False, loc="upper left", ncols=1)
