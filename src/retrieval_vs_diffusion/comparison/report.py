"""The report: one HTML file that stands alone."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_table import ImageTable

# Colour of each arm, and what the legend calls it.
_ARMS = {
    "neither": ("#7d8894", "no new image, or real ones"),
    "generate": ("#3b7dd8", "generated"),
    "retrieve": ("#d9822b", "retrieved"),
    "both": ("#8e5bc0", "both"),
}
_TEMPLATE = Path(__file__).parent / "templates" / "report.html"


def template() -> str:
    """The report's template; bound to its node, so that another template makes another report."""
    return _TEMPLATE.read_text(encoding="utf-8")


def write_report(
    template: str,
    world: str,
    order: list[str],
    leaderboard: pd.DataFrame,
    summary: dict[str, Any],
    sets: pd.DataFrame,
    class_names: list[str],
    judge_check: dict[str, float] | None = None,
    **rows: Any,
) -> str:
    """The report as HTML: sentence, leaderboard, bar chart with error bars, table and grid of added images.

    Args:
        template: as ``template()`` gives it.
        world: name of the world.
        order: strategies in the order of the table.
        leaderboard: as ``comparison.leaderboard`` makes it.
        summary: what it says in words.
        sets: the table of added images, as ``comparison.sets`` makes it.
        rows: ``results_of_<strategy>`` and ``examples_of_<strategy>``; None where they do not hold.

    Captions and prompts are untrusted text: the template escapes whatever it is given.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    shown = [name for name in order if rows[f"results_of_{name}"] is not None]
    galleries = [_gallery(name, rows[f"results_of_{name}"], rows[f"examples_of_{name}"], class_names) for name in shown]
    arms = {name: str(rows[f"results_of_{name}"]["arm"]) for name in shown}
    return environment.from_string(template).render(
        world=world,
        summary=summary,
        rows=_table(leaderboard, summary),
        sets=_sets_table(sets),
        chart=Markup(accuracy_chart(leaderboard, arms)),  # noqa: S704  (made by plotly from numbers and strategy names)
        galleries=galleries,
        judge_check=judge_check,
    )


def _table(leaderboard: pd.DataFrame, summary: dict[str, Any]) -> list[dict[str, Any]]:
    best = leaderboard["top1_mean"].max()
    return [
        {
            **row,
            "agreement_by": row["agreement_by"] if isinstance(row["agreement_by"], str) else "",
            "marked": row["strategy"] in summary["low_label_agreement"],
            "best": row["top1_mean"] == best,
        }
        for row in leaderboard.to_dict("records")
    ]


def _sets_table(sets: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with None for what is not known: it may come as NaN, or from the file as an empty column."""
    return [
        {name: None if value != value or value == "" else value for name, value in row.items()}  # NaN is not itself
        for row in sets.to_dict("records")
    ]


def accuracy_chart(leaderboard: pd.DataFrame, arms: Mapping[str, str]) -> str:
    """Top-1 accuracy of each strategy with its standard error, as HTML with plotly's script inside.

    Points and not bars: accuracies lie close together, and a bar must begin at zero.

    Args:
        leaderboard: as ``leaderboard()`` makes it.
        arms: the arm of each strategy, which is its colour.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for arm, (colour, meaning) in _ARMS.items():
        own = leaderboard[[arms.get(name) == arm for name in leaderboard["strategy"]]]
        if not len(own):
            continue
        figure.add_scatter(
            x=own["top1_mean"] * 100,
            y=own["strategy"],
            mode="markers+text",
            name=meaning,
            marker={"color": colour, "size": 11},
            error_x={"array": (own["top1_se"] * 100).fillna(0), "color": colour, "thickness": 1.5, "width": 5},
            text=[f"{value * 100:.1f}" for value in own["top1_mean"]],
            textposition="top center",
            textfont={"size": 11},
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
        )
    baseline = leaderboard[leaderboard["strategy"] == "original_only"]["top1_mean"]
    if len(baseline):
        figure.add_vline(x=float(baseline.iloc[0]) * 100, line={"color": "#8a8f98", "width": 1, "dash": "dot"})
    figure.update_layout(
        xaxis_title="top-1 accuracy on test, % (line: standard error over repetitions; dotted: the originals alone)",
        height=110 + 36 * len(leaderboard),
        margin={"l": 10, "r": 20, "t": 10, "b": 45},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": "#7a828c", "size": 13},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        showlegend=True,
        yaxis={
            "automargin": True,
            "categoryorder": "array",
            "categoryarray": list(leaderboard["strategy"])[::-1],
            "gridcolor": "rgba(128,128,128,.15)",
        },
        xaxis={"gridcolor": "rgba(128,128,128,.25)", "zeroline": False},
    )
    return figure.to_html(
        full_html=False, include_plotlyjs="inline", config={"displayModeBar": False, "responsive": True}
    )


def _gallery(name: str, result: dict[str, Any], examples: ImageTable, class_names: list[str]) -> dict[str, Any]:
    """A strategy's examples as embedded pictures with their class, caption and prompt."""
    pictures = [
        {
            "data": _data_url(row["image"]["bytes"]),
            "class_name": class_names[row["label"]],
            "row": {key: row[key] for key in ("caption", "prompt", "similarity", "source")},
        }
        for row in examples.table.to_pylist()
    ]
    columns = len({picture["class_name"] for picture in pictures}) or 1
    return {"name": name, "description": result["description"], "pictures": pictures, "columns": columns}


def _data_url(data: bytes) -> str:
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
