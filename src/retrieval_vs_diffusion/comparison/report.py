"""The report: one HTML file that stands alone."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_table import ImageTable

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
    class_names: list[str],
    judge_check: dict[str, float] | None = None,
    **rows: Any,
) -> str:
    """The report as HTML: sentence, table, bar chart with error bars, and a grid of images a strategy.

    Args:
        template: as ``template()`` gives it.
        world: name of the world.
        order: strategies in the order of the table.
        rows: ``results_of_<strategy>`` and ``examples_of_<strategy>``; None where they do not hold.

    Captions and prompts are untrusted text: the template escapes whatever it is given.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    shown = [name for name in order if rows[f"results_of_{name}"] is not None]
    galleries = [_gallery(name, rows[f"results_of_{name}"], rows[f"examples_of_{name}"], class_names) for name in shown]
    return environment.from_string(template).render(
        world=world,
        summary=summary,
        rows=_table(leaderboard, summary),
        chart=Markup(bar_chart(leaderboard)),  # noqa: S704  (made by plotly from numbers and strategy names)
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


def bar_chart(leaderboard: pd.DataFrame) -> str:
    """Top-1 accuracy of each strategy with its standard error, as HTML with plotly's script inside."""
    import plotly.graph_objects as go

    ordered = leaderboard.iloc[::-1]
    bars = go.Bar(
        x=ordered["top1_mean"] * 100,
        y=ordered["strategy"],
        orientation="h",
        error_x={"array": (ordered["top1_se"] * 100).fillna(0), "color": "#8a8f98", "thickness": 1.5},
        marker_color=[
            "#9aa5b1" if name in {"original_only", "more_real"} else "#3b7dd8" for name in ordered["strategy"]
        ],
        text=[f"{value * 100:.1f}" for value in ordered["top1_mean"]],
        textposition="inside",
        insidetextanchor="start",
        hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
    )
    figure = go.Figure(bars)
    figure.update_layout(
        xaxis_title="top-1 accuracy on test, % (bar: standard error over repetitions)",
        height=90 + 42 * len(ordered),
        margin={"l": 10, "r": 20, "t": 10, "b": 45},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": "#7a828c", "size": 13},
        yaxis={"automargin": True},
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
