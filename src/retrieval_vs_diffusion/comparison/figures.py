"""The report's figures, as plotly figures without colours of text and paper: the page sets those by its scheme."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval_vs_diffusion.comparison.baseline import BASELINE

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Arm:
    """How rows of one arm are drawn: a colour, a shape for who cannot tell the colours, and a word for the legend."""

    colour: str
    symbol: str
    meaning: str


ARMS = {
    "neither": Arm("#7d8894", "circle", "no new image, or real ones"),
    "generate": Arm("#3b7dd8", "square", "generated"),
    "retrieve": Arm("#d9822b", "diamond", "retrieved"),
    "both": Arm("#8e5bc0", "triangle-up", "both"),
}
MOST_CLASSES = 20  # that a matrix shows; of more those that differ most


def accuracy_figure(leaderboard: pd.DataFrame, arms: Mapping[str, str]) -> go.Figure:
    """Top-1 accuracy of each row with its 95 % interval, the best at the top.

    Points and not bars: accuracies lie close together, and a bar must begin at zero.
    """
    import plotly.graph_objects as go

    board = leaderboard.sort_values("top1_mean")
    figure = go.Figure()
    for arm, look in ARMS.items():
        own = board[[arms[name] == arm for name in board["strategy"]]]
        if len(own):
            figure.add_scatter(
                x=_percent(own["top1_mean"]),
                y=list(own["strategy"]),
                mode="markers+text",
                name=look.meaning,
                marker={"color": look.colour, "size": 11, "symbol": look.symbol},
                error_x=_bars(own, "top1_mean", "top1_low", "top1_high", look.colour),
                text=[f"{value * 100:.1f}" for value in own["top1_mean"]],
                textposition="top center",
                textfont={"size": 11},
                cliponaxis=False,
                hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
            )
    baseline = board[board["strategy"] == BASELINE]["top1_mean"]
    if len(baseline):
        figure.add_vline(x=float(baseline.iloc[0]) * 100, line={"color": "#8a8f98", "width": 1, "dash": "dot"})
    figure.update_layout(height=120 + 34 * len(board), yaxis={"categoryarray": list(board["strategy"])})
    return _plain(figure, "top-1 accuracy on test, %", "")


def size_curve_figure(
    curve: pd.DataFrame, leaderboard: pd.DataFrame, arms: Mapping[str, str], originals: int, named: Sequence[str]
) -> go.Figure:
    """Accuracy against real images a class, and where each row stands on that curve.

    Args:
        curve: ``images_per_class`` with accuracies and their intervals.
        leaderboard: rows with ``real_images`` and its interval; those outside of the curve stand at its ends.
        arms: of each row.
        originals: images a class that rows start from.
        named: rows whose names are written beside them.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    x = list(curve["images_per_class"])
    band = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    figure.add_scatter(x=x, y=_percent(curve["top1_low"]), **band)
    figure.add_scatter(x=x, y=_percent(curve["top1_high"]), fill="tonexty", fillcolor="rgba(125,136,148,.2)", **band)
    figure.add_scatter(
        x=x,
        y=_percent(curve["top1_mean"]),
        mode="lines+markers",
        name="real images alone",
        line={"color": "#7d8894"},
        hovertemplate="%{x:.0f} real images a class: %{y:.1f} %<extra></extra>",
    )
    rows = leaderboard[leaderboard["real_images"].notna()]
    least, most = min(x) - originals, max(x) - originals
    for arm, look in ARMS.items():
        own = rows[[arms[name] == arm for name in rows["strategy"]]]
        if not len(own):
            continue
        more = own["real_images"].clip(least, most)
        low, high = (own[f"real_images_{end}"].clip(least, most) for end in ("low", "high"))
        outside = {np.inf: "triangle-right", -np.inf: "triangle-left"}
        figure.add_scatter(
            x=more + originals,
            y=_percent(own["top1_mean"]),
            mode="markers",
            name=look.meaning if arm != "neither" else "more real images, stronger augmentation",
            marker={
                "color": look.colour,
                "size": 11,
                "symbol": [outside.get(value, look.symbol) for value in own["real_images"]],
            },
            error_x={
                "array": (high - more).fillna(0),
                "arrayminus": (more - low).fillna(0),
                "color": _faint(look.colour),
                "thickness": 1.2,
                "width": 4,
            },
            customdata=list(zip(own["strategy"], own["worth"], strict=True)),
            hovertemplate="%{customdata[0]}: %{y:.1f} %<br>worth %{customdata[1]} more real images<extra></extra>",
        )
    # Rows stand close together on the curve: their names hang below it, each a step lower.
    hung = rows[rows["strategy"].isin(named)].sort_values("real_images")
    for step, row in enumerate(hung.to_dict("records")):
        x_of_row = float(np.clip(row["real_images"], least, most)) + originals
        figure.add_annotation(
            x=x_of_row,
            y=row["top1_mean"] * 100,
            text=row["strategy"],
            ax=35,
            ay=105 - 26 * step,
            xanchor="left",
            arrowcolor="rgba(125,136,148,.8)",
            arrowwidth=1,
            arrowhead=0,
            font={"size": 12},
        )
    figure.update_layout(height=520)
    return _plain(figure, "real images a class", "top-1 accuracy on test, %")


def cost_figure(
    leaderboard: pd.DataFrame, costs: pd.DataFrame, arms: Mapping[str, str], named: Sequence[str]
) -> go.Figure:
    """Accuracy gained against the seconds that it takes; ``named`` rows have their names beside them."""
    import plotly.graph_objects as go

    rows = leaderboard.merge(costs[["strategy", "price"]], on="strategy")
    rows = rows[rows["gain"].notna() & (rows["seconds"] > 0)]
    middle = (rows["seconds"].min() * rows["seconds"].max()) ** 0.5  # of the logarithmic axis
    figure = go.Figure()
    for arm, look in ARMS.items():
        own = rows[[arms[name] == arm for name in rows["strategy"]]]
        if len(own):
            figure.add_scatter(
                x=list(own["seconds"]),
                y=_percent(own["gain"]),
                mode="markers+text",
                name=look.meaning,
                marker={"color": look.colour, "size": 11, "symbol": look.symbol},
                error_y=_bars(own, "gain", "gain_low", "gain_high", _faint(look.colour)),
                text=[name if name in named else "" for name in own["strategy"]],
                # Towards the middle: a name beside the last point would be cut off.
                textposition=["top left" if seconds > middle else "top right" for seconds in own["seconds"]],
                textfont={"size": 11},
                customdata=list(own["strategy"]),
                hovertemplate="%{customdata}: %{y:+.1f} points for %{x:.1f} s<extra></extra>",
            )
    figure.add_hline(y=0, line={"color": "#8a8f98", "width": 1, "dash": "dot"})
    figure.update_layout(height=430)
    ticks = [factor * 10.0**power for power in range(-2, 7) for factor in (1, 2, 5)]
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks])
    return _plain(figure, "seconds a repetition (logarithmic)", "points gained over the originals alone")


def class_figure(classes: pd.DataFrame) -> go.Figure:
    """Gain of every row in every class, in points; of more than ``MOST_CLASSES`` those in which rows differ most."""
    import plotly.graph_objects as go

    gains = classes[classes["strategy"] != BASELINE].pivot_table("gain", "strategy", "class", sort=False) * 100
    if gains.shape[1] > MOST_CLASSES:
        gains = gains[gains.std().nlargest(MOST_CLASSES).index.sort_values()]
    gains = gains[::-1]
    figure = go.Figure(
        go.Heatmap(
            z=gains.to_numpy().round(1),
            x=[shown(name) for name in gains.columns],
            y=list(gains.index),
            colorscale="RdBu",
            zmid=0,
            texttemplate="%{z:.0f}",
            xgap=1,
            ygap=1,
            colorbar={"title": {"text": "points"}, "thickness": 10, "len": 0.6},
            hovertemplate="%{y}, class %{x}: %{z:+.1f} points<extra></extra>",
        )
    )
    figure.update_layout(height=130 + 24 * len(gains))
    return _plain(figure, "", "")


def confusion_figure(class_names: Sequence[str]) -> go.Figure:
    """The frame of the matrix of confusions; the page puts in that of the row that is chosen."""
    import plotly.graph_objects as go

    names = [shown(name) for name in class_names]
    figure = go.Figure(
        go.Heatmap(
            z=np.zeros((len(names), len(names))),
            x=names,
            y=names,
            colorscale="RdBu",
            zmid=0,
            zmin=-15,
            zmax=15,
            texttemplate="%{z:.0f}",
            xgap=1,
            ygap=1,
            colorbar={"title": {"text": "points"}, "thickness": 10, "len": 0.6},
            hovertemplate="%{y} taken for %{x}: %{z:+.1f} points<extra></extra>",
        )
    )
    figure.update_layout(height=430)
    figure.update_yaxes(autorange="reversed")
    return _plain(figure, "taken for", "is a")


def added_images_figure(table: pd.DataFrame, by: str, axis: str) -> go.Figure:
    """Accuracy on test (with its interval) and on validation (dotted) against what is varied, a line a row.

    Args:
        table: as ``added_images_table`` makes it.
        by: its column that is varied; of the other the usual value is shown.
        axis: what the column means.
    """
    import plotly.graph_objects as go

    palette = ("#3b7dd8", "#d9822b", "#8e5bc0", "#2f9e77", "#c0504d", "#7d8894")
    figure = go.Figure()
    for number, (name, rows) in enumerate(table.groupby("strategy", sort=False)):
        other = "added_share" if by == "images_added" else "times_originals"
        usual = rows[other].mode()  # none where a row's batches are drawn from all images alike
        own = rows[rows[other] == usual[0]] if len(usual) else rows
        own = own.dropna(subset=[by]).sort_values(by)
        if own.empty:
            continue
        colour = palette[number % len(palette)]
        figure.add_scatter(
            x=list(own[by]),
            y=_percent(own["top1_mean"]),
            name=f"{name}, test",
            mode="lines+markers",
            line={"color": colour},
            error_y=_bars(own, "top1_mean", "top1_low", "top1_high", _faint(colour)),
        )
        figure.add_scatter(
            x=list(own[by]),
            y=_percent(own["val_top1_mean"]),
            name=f"{name}, validation",
            mode="lines",
            line={"color": colour, "dash": "dot"},
        )
    figure.update_layout(height=380)
    return _plain(figure, axis, "top-1 accuracy, %")


def shown(name: str) -> str:
    """A name from data as plotly shows it: plotly reads tags in text."""
    return html.escape(name)


def _percent(values: pd.Series) -> list[float]:
    return [round(float(value) * 100, 3) for value in values]


def _bars(rows: pd.DataFrame, mean: str, low: str, high: str, colour: str) -> dict[str, Any]:
    up, down = (rows[high] - rows[mean]) * 100, (rows[mean] - rows[low]) * 100
    return {"array": up.fillna(0), "arrayminus": down.fillna(0), "color": colour, "thickness": 1.5, "width": 5}


def _faint(colour: str) -> str:
    return f"rgba({int(colour[1:3], 16)},{int(colour[3:5], 16)},{int(colour[5:7], 16)},.45)"


def _plain(figure: go.Figure, x: str, y: str) -> go.Figure:
    """The same for all figures; the page adds colours of text and lines."""
    figure.update_layout(
        template="none",
        margin={"l": 10, "r": 20, "t": 30, "b": 45},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    )
    figure.update_xaxes(title={"text": x, "standoff": 8}, automargin=True, zeroline=False)
    figure.update_yaxes(title={"text": y, "standoff": 8}, automargin=True, zeroline=False)
    return figure
