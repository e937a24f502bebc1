"""What a run of the pipeline ``plan`` ends with on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import DataCatalog
from rich import get_console
from rich.markup import escape
from rich.table import Table

from retrieval_vs_diffusion.execution.freshness import path_of

if TYPE_CHECKING:
    import pandas as pd

_WIDE = 130  # columns of a terminal on which all stages have room
_STAGES = {"bring": ("generate", "retrieve", "reuse", "bring"), "train and test": ("train", "test")}


def print_plan(catalog: DataCatalog, project: Path) -> None:
    """The table, its total, what one should know of it, and the classes that look hard."""
    summary, console = catalog["plan.summary"].load(), get_console()
    table = catalog["plan.table"].load()
    console.print()
    console.print(escape(summary["there"]), soft_wrap=True, highlight=False)
    console.print(plan_table(table, summary, console.width >= _WIDE))
    for line in summary["classes"]:
        console.print(escape(line), soft_wrap=True, highlight=False)
    for note in summary["notes"]:
        console.print(f"[yellow]![/] {escape(note)}", style="dim", soft_wrap=True, highlight=False)
    path = Path(str(path_of(catalog["plan.table"])))
    shown = path.relative_to(project) if path.is_relative_to(project) else path
    console.print(f"  every line  [cyan]{escape(str(shown))}[/]", soft_wrap=True, highlight=False)
    console.print(f"\n[bold]{escape(summary['sentence'])}[/]", soft_wrap=True, highlight=False)


def plan_table(lines: pd.DataFrame, summary: Mapping[str, Any], wide: bool) -> Table:
    """A row for each strategy and for what stands beside them, then the total.

    Args:
        lines: as ``planning.extrapolation.plan_table`` makes them.
        summary: as ``planning.in_words.summarise`` does.
        wide: show the stages too.
    """
    from retrieval_vs_diffusion.planning.in_words import duration, money, size

    gpu = summary["total"]["gpu_hours"] > 0
    table = Table(title=f"What a run would take ({escape(summary['device'])})", title_justify="left")
    table.add_column("", no_wrap=True)
    columns = ["images", "personalise", *_STAGES] if wide else ["images"]
    for column in [*columns, "time", *(["GPU"] if gpu else []), "disk", summary["currency"]]:
        table.add_column(column, justify="right", no_wrap=True)
    for name, own in lines.groupby("strategy", sort=False):
        stages = [_hours(own, ("personalise",)), *(_hours(own, whats) for whats in _STAGES.values())]
        missing = own["seconds"].isna().any()
        shared = not own["counted"].all()
        cells = [_images(own), *([duration(each) for each in stages] if wide else [])]
        cells += [f"{duration(own['hours'].sum())}{' *' if shared else ''}"]
        cells += [duration(own["gpu_hours"].sum())] if gpu else []
        cells += [size(own["bytes"].sum()), money(own["price"].sum())]
        mark = " [yellow]![/]" if missing else ""
        table.add_row(f"{escape(str(name))}{mark}", *cells)
    total = summary["total"]
    cells = ["", *[""] * (3 if wide else 0), duration(total["hours"])]
    cells += [duration(total["gpu_hours"])] if gpu else []
    table.add_section()
    table.add_row("in all", *cells, size(total["bytes"]), money(total["price"]), style="bold")
    notes = ["images: added in a repetition"]
    notes += ["* its personalisation is shared with a row above and counted once"] if not lines["counted"].all() else []
    notes += ["! could not be tried, see below"] if lines["seconds"].isna().any() else []
    table.caption = "; ".join([*notes, *([] if wide else ["a wider terminal shows more"])])
    return table


def _images(own: pd.DataFrame) -> str:
    brought = own[own["what"] == "measure set"]
    return f"{int(brought['images'].iloc[0]):,}" if len(brought) else "–"


def _hours(own: pd.DataFrame, whats: tuple[str, ...]) -> float:
    """Hours of some stages; NaN, shown as a dash, where there is none."""
    chosen = own[[any(each in whats for each in what.split(" + ")) for what in own["what"]]]
    return float(chosen["hours"].sum()) if len(chosen) else float("nan")
