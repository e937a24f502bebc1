"""The report: one HTML file that stands alone and makes no request."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_TEMPLATES = Path(__file__).parent / "templates"
_PARTS = ("report.html", "macros.html", "report.css", "report.js")


def template() -> dict[str, str]:
    """The report's template, style and script; bound to its node, so that another one makes another report."""
    return {name: (_TEMPLATES / name).read_text(encoding="utf-8") for name in _PARTS}


def write_report(
    template: dict[str, str],
    settings: dict[str, Any],
    order: list[str],
    leaderboard: pd.DataFrame,
    comparisons: pd.DataFrame,
    size_curve: pd.DataFrame,
    summary: dict[str, Any],
    sets: pd.DataFrame,
    ledger: pd.DataFrame,
    costs: pd.DataFrame,
    classes: pd.DataFrame,
    leaks: pd.DataFrame,
    screening_check: dict[str, Any] | None,
    results_digest: dict[str, Any],
    class_names: list[str],
    index_check: dict[str, Any] | None = None,
    added_images: pd.DataFrame | None = None,
    judge_check: dict[str, float] | None = None,
    **rows: Any,
) -> str:
    """The report as HTML: verdict, tables, interactive figures, a gallery, settings.

    Args:
        template: as ``template()`` gives it.
        settings: as ``report_settings`` gives them.
        order: strategies in the order of the tables.
        leaderboard: and the other tables as their modules in ``comparison`` make them.
        results_digest: as ``digest_results`` makes it.
        index_check: how well the index over the pool does, and what embedding it took; None where none was built.
        added_images: what of it was made with the present settings is shown.
        rows: ``results_of_<strategy>``, ``outcomes_of_<strategy>`` and ``examples_of_<strategy>``; None where
            they do not hold.

    Captions, prompts and names are untrusted text: the template escapes whatever it is given, figures and
    data stand in the page as JSON that cannot end its element, and the page's policy runs no other script
    than the two that are written here, and loads nothing.
    """
    from jinja2 import DictLoader, Environment, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    from retrieval_vs_diffusion.comparison import report_rows
    from retrieval_vs_diffusion.comparison.repeat_command import repeat_command

    there = [name for name in order if rows[f"results_of_{name}"] is not None]
    results = {name: rows[f"results_of_{name}"] for name in there}
    arms = {name: str(results[name]["arm"]) for name in there}
    current = _current(added_images, settings["protocols"])
    figures = _figures(leaderboard, size_curve, costs, classes, current, arms, summary)
    outcomes = {name: rows[f"outcomes_of_{name}"] for name in there}
    confusions = report_rows.confusions(outcomes, class_names)
    if confusions:
        from retrieval_vs_diffusion.comparison.figures import confusion_figure

        figures["confusion"] = confusion_figure(confusions["classes"])
    plotly, script = get_plotlyjs(), template["report.js"]
    environment = Environment(
        loader=DictLoader(template), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html").render(
        settings=settings,
        summary=summary,
        command=repeat_command(settings["repeat"], there),
        results_digest=results_digest,
        board=report_rows.leaderboard_rows(leaderboard, costs, arms, summary, settings["published"]),
        pair=report_rows.pair_row(comparisons, summary),
        family=len(comparisons),
        curve=report_rows.curve_rows(size_curve),
        sets=report_rows.without_nan(sets),
        ledger=report_rows.ledger_rows(ledger),
        costs=report_rows.cost_rows(costs),
        index_check=index_check,
        classes=report_rows.class_rows(classes),
        leaks=report_rows.without_nan(leaks),
        screening_check=screening_check,
        judge_check=judge_check,
        added_images=len(current),
        galleries=[_gallery(name, results[name], rows[f"examples_of_{name}"], class_names) for name in there],
        class_names=class_names,
        figures=figures,
        described=report_rows.descriptions(figures, leaderboard),
        data=Markup(_as_json({"figures": figures, "confusions": confusions})),  # noqa: S704  (cannot end its element)
        policy=f"script-src '{_digest(plotly)}' '{_digest(script)}'",
        plotly=Markup(plotly),  # noqa: S704  (plotly's own script)
        script=Markup(script),  # noqa: S704  (ours)
        style=Markup(template["report.css"]),  # noqa: S704  (ours)
        settings_text=report_rows.as_yaml(settings),
    )


def _current(added_images: pd.DataFrame | None, protocols: dict[str, str]) -> pd.DataFrame:
    """The part of the table of added images that was made with the settings of this comparison."""
    import pandas as pd

    from retrieval_vs_diffusion.comparison.added_images import COLUMNS

    if added_images is None:
        return pd.DataFrame(columns=list(COLUMNS))
    current = [protocols.get(row.strategy) == row.protocol for row in added_images.itertuples()]
    return added_images[current]


def _figures(
    leaderboard: pd.DataFrame,
    size_curve: pd.DataFrame,
    costs: pd.DataFrame,
    classes: pd.DataFrame,
    added_images: pd.DataFrame,
    arms: dict[str, str],
    summary: dict[str, Any],
) -> dict[str, Any]:
    """The figures that there is something to draw for, by the place where they stand."""
    from retrieval_vs_diffusion.comparison import figures
    from retrieval_vs_diffusion.comparison.baseline import BASELINE

    drawn = {"accuracy": figures.accuracy_figure(leaderboard, arms)}
    named = [name for name in (*summary["best"].values(), "more_real") if name]
    if len(size_curve) > 1:
        drawn["size_curve"] = figures.size_curve_figure(
            size_curve, leaderboard, arms, summary["originals_per_class"], named
        )
    if leaderboard["gain"].notna().any():
        drawn["cost"] = figures.cost_figure(leaderboard, costs, arms, named)
        if (classes["strategy"] != BASELINE).any():
            drawn["classes"] = figures.class_figure(classes)
    if len(added_images):
        drawn["added_number"] = figures.added_images_figure(added_images, "images_added", "images added")
        drawn["added_share"] = figures.added_images_figure(
            added_images, "added_share", "share of each batch from the added images"
        )
    return drawn


def _gallery(name: str, result: dict[str, Any], examples: Any, class_names: list[str]) -> dict[str, Any]:
    """A row of the gallery; what adds nothing shows the originals."""
    from retrieval_vs_diffusion.comparison.gallery import pictures

    shows = {"generate": "generated", "retrieve": "retrieved", "both": "generated retrieved"}
    kind = shows.get(str(result["arm"]), "original")
    made = pictures(examples, class_names, name)
    return {"name": name, "description": result["description"], "kind": kind, "pictures": made}


def _as_json(value: Any) -> str:
    """JSON that may stand in a script element: nothing in it can end the element or begin a comment."""
    from plotly.utils import PlotlyJSONEncoder

    text = json.dumps(value, cls=PlotlyJSONEncoder)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _digest(script: str) -> str:
    """A script's digest as a content security policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
