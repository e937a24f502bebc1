"""The picture of the growth over machines: units a second beside what each machine alone would make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def draw(rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Draw rows of the CSV into a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    nodes = [int(row["nodes"]) for row in rows]
    figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    ideal = [number / float(row["seconds_a_unit"]) for number, row in zip(nodes, rows, strict=True)]
    axes.plot(nodes, ideal, ":", color="#8a8a8a", label="in proportion: each machine's model alone")
    for column, colour, label in (
        ("steady_per_s", "#3b7dd8", "while every machine works"),
        ("whole_per_s", "#d9822b", "from the call to the end, with the start of the actors"),
    ):
        rates = [float(row[column]) for row in rows]
        axes.plot(nodes, rates, "o-", color=colour, label=label, markersize=5)
        # Those of the upper line stand left above it, those of the lower one right below: both lines stay free.
        steady = column == "steady_per_s"
        place: dict[str, Any] = {"xytext": (-7, 7) if steady else (6, -9), "ha": "right" if steady else "left"}
        for number, rate, most in zip(nodes, rates, ideal, strict=True):
            shown = f"{rate / most:.0%}"
            axes.annotate(shown, (number, rate), textcoords="offset points", fontsize=8, color=colour, **place)
    axes.set_xticks(nodes)
    axes.set_xlim(0, max(nodes) + 0.6)
    axes.set_ylim(0, max(ideal) * 1.12)
    axes.set_xlabel("machines (raylets on one computer)")
    axes.set_ylabel("units a second")
    axes.set_title(f"A model that sleeps {float(rows[0]['seconds_a_unit']):g} s a unit, on Ray", fontsize=11)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    plt.close(figure)
