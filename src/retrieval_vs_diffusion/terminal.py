"""What a run ends with on the terminal: the leaderboard, one sentence, and how to see the rest."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from rich import get_console
from rich.markup import escape
from rich.table import Table

from retrieval_vs_diffusion.execution.freshness import path_of
from retrieval_vs_diffusion.export_terminal import print_export
from retrieval_vs_diffusion.plan_terminal import print_plan
from retrieval_vs_diffusion.tracking import current_server
from retrieval_vs_diffusion.world import current_study
from retrieval_vs_diffusion.world_parts import told

if TYPE_CHECKING:
    import pandas as pd

_STRANGERS = 5  # classes of the class table that the target has not; a table may be for a thousand more
_WIDE = 130  # columns of a terminal on which the whole leaderboard has room


class LeaderboardHook:
    """Prints the leaderboard after every run that made or kept it."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep where the project is, for short paths."""
        self._project = Path(context.project_path)

    @hook_impl(trylast=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print what the run was for."""
        if "tuning.trials" in pipeline.all_outputs():
            _print_trials(catalog)
            return
        if "added_images.table" in pipeline.all_outputs():
            _print_added_images(catalog)
            return
        if "plan.table" in pipeline.all_outputs():
            print_plan(catalog, self._project)
            return
        if any(name.startswith("export.") for name in pipeline.all_outputs()):
            print_export(catalog, self._project)
            return
        if "comparison.report" not in pipeline.all_outputs():
            get_console().print("\nDone; `kedro run` brings the leaderboard up to date.", highlight=False)
            return
        summary = catalog["comparison.summary"].load()
        console = get_console()
        console.print()
        console.print(leaderboard_table(catalog["comparison.leaderboard"].load(), summary))
        if summary["low_label_agreement"]:
            limit = f"{summary['threshold'] * 100:.0f} %"
            console.print(
                f"[yellow]![/] images show their class in under {limit} of what real ones reach: the row says little",
                style="dim",
            )
        strangers = current_study().class_table.strangers(catalog["target.classes"].load())
        for line in [*told(current_study().missing), *strangers[:_STRANGERS]]:
            console.print(f"[yellow]![/] {escape(line)}", style="dim", soft_wrap=True)
        for note in summary["notes"]:
            console.print(f"[yellow]![/] {escape(note)}", style="dim", soft_wrap=True)
        console.print()
        report = Path(str(path_of(catalog["comparison.report"])))
        shown = report.relative_to(self._project) if report.is_relative_to(self._project) else report
        server = current_server(self._project)
        for what, command in (
            ("the report", f"open {shown} in a browser"),
            ("every run", f"open {server.address} in a browser" if server else "mlflow ui"),
            ("the graph", "kedro viz run"),
        ):
            console.print(f"  {what:<11} [cyan]{escape(command)}[/]", soft_wrap=True, highlight=False)
        digest = catalog["comparison.results_digest"].load()["digest"]
        about = "the same table has the same; the report says how to repeat it"
        console.print(f"  {'the digest':<11} [cyan]{digest}[/] ({about})", soft_wrap=True, highlight=False)
        console.print()
        for more in (summary["family"], summary["worth"]):
            if more:
                console.print(escape(more), style="dim", soft_wrap=True)
        console.print(f"[bold]{escape(summary['sentence'])}[/]", soft_wrap=True)


def _print_added_images(catalog: DataCatalog) -> None:
    table = Table(title="How much to add", title_justify="left")
    table.add_column("strategy", no_wrap=True)
    for column in ("images added", "share of a batch", "top-1 on validation", "top-1 on test (95 %)"):
        table.add_column(column, justify="right")
    for row in catalog["added_images.table"].load().itertuples():
        known = not math.isnan(row.top1_low)
        ends = f" ({row.top1_low * 100:.1f} to {row.top1_high * 100:.1f})" if known else ""
        table.add_row(
            escape(row.strategy),
            f"{row.images_added:.0f}",
            f"{row.added_share:g}",
            f"{row.val_top1_mean * 100:.1f} %",
            f"{row.top1_mean * 100:.1f} %{ends}",
        )
    console = get_console()
    console.print()
    console.print(table)
    console.print(
        "Choose by validation. The next plain run of this world draws it in the report.", style="dim", soft_wrap=True
    )


def _print_trials(catalog: DataCatalog) -> None:
    console = get_console()
    console.print()
    console.print(trials_table(catalog["tuning.trials"].load()))
    console.print("\nThe chosen settings belong into conf/<world>/strategies.yml; all trials stand in", style="dim")
    console.print(f"  [cyan]{escape(str(path_of(catalog['tuning.trials'])))}[/] and in MLflow", soft_wrap=True)


def trials_table(trials: pd.DataFrame) -> Table:
    """The trials of a tuning for the terminal, the chosen ones in bold."""
    table = Table(title="Validation accuracy of every trial", title_justify="left")
    table.add_column("")
    table.add_column("strategy", no_wrap=True)
    table.add_column("settings")
    table.add_column("top-1 on validation", justify="right", no_wrap=True)
    for row in trials.itertuples():
        error = "" if math.isnan(row.val_top1_se) else f" ± {row.val_top1_se * 100:.1f}"
        settings = ", ".join(f"{place}: {value}" for place, value in json.loads(row.settings).items())
        cells = (escape(row.strategy), escape(settings), f"{row.val_top1_mean * 100:.1f} %{error}")
        table.add_row("*" if row.chosen else "", *cells, style="bold" if row.chosen else "")
    table.caption = "* chosen; of equals the one that is listed first"
    return table


def leaderboard_table(leaderboard: pd.DataFrame, summary: Mapping[str, Any]) -> Table:
    """The leaderboard as a table for the terminal; rows of low label agreement carry an exclamation mark."""
    table = Table(title="What was added, and what it was worth", title_justify="left")
    table.add_column("strategy", no_wrap=True)
    wide = get_console().width >= _WIDE  # a narrow terminal has no room for all; the report has
    columns = ("top-1 on test", "gain (95 %)", "verdict", "worth", "images", "agreement", "seconds")
    for column in columns if wide else ("top-1", "gain", "verdict", "worth"):
        table.add_column(column, justify="right", no_wrap=column != "verdict")
    for row in leaderboard.itertuples():
        top1, gain = f"{row.top1_mean * 100:.1f} %", "–" if math.isnan(row.gain) else f"{row.gain * 100:+.1f}"
        if wide:
            top1 += "" if math.isnan(row.top1_se) else f" ± {row.top1_se * 100:.1f}"
            gain += "" if math.isnan(row.gain_low) else f" ({row.gain_low * 100:+.1f} to {row.gain_high * 100:+.1f})"
        agreement = "–" if math.isnan(row.label_agreement) else f"{row.label_agreement * 100:.0f} %"
        more = (f"{row.images_added:.0f}", agreement, f"{row.seconds:.1f}") if wide else ()
        chosen = row.strategy in summary["best"].values()
        marked = row.strategy in summary["low_label_agreement"]
        name = f"{escape(row.strategy)}{' *' if chosen else ''}{' [yellow]![/]' if marked else ''}"
        cells = (top1, gain, _words(row.verdict), _words(row.worth), *more)
        table.add_row(name, *cells, style="bold" if chosen else "")
    repetitions = "-".join(map(str, sorted(set(leaderboard["repetitions"]))))
    table.caption = (
        f"means over {repetitions} repetitions{', ± standard error' if wide else ''}; gain in points over "
        "original_only; worth in more real images a class; * is best of its arm on validation"
        f"{'' if wide else '; a wider terminal shows more'}"
    )
    return table


def _words(cell: Any) -> str:
    """A cell of words; an empty one comes back from its file as NaN."""
    return escape(cell) if isinstance(cell, str) else "–"
