"""The tables of the report as the page shows them: figures become words here, in one place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval_vs_diffusion.comparison.baseline import BASELINE
from retrieval_vs_diffusion.comparison.figures import MOST_CLASSES
from retrieval_vs_diffusion.comparison.outcomes import Outcomes
from retrieval_vs_diffusion.comparison.per_class import confusion

if TYPE_CHECKING:
    import pandas as pd

DASH = "–"


def leaderboard_rows(
    leaderboard: pd.DataFrame,
    costs: pd.DataFrame,
    arms: Mapping[str, str],
    summary: Mapping[str, Any],
    published: Mapping[str, Any] | None,
) -> list[dict[str, Any]]:
    """The leaderboard's rows, every cell as text."""
    price = dict(zip(costs["strategy"], costs["price"], strict=True))
    rows = []
    for row in leaderboard.to_dict("records"):
        name = row["strategy"]
        told = (published or {"top1": {}})["top1"].get(name)
        rows.append(
            {
                "strategy": name,
                "arm": arms[name],
                "marked": name in summary["low_label_agreement"],
                "chosen": name in summary["best"].values(),
                "top1": f"{row['top1_mean'] * 100:.1f} %",
                "top1_interval": interval(row["top1_low"], row["top1_high"]),
                "top1_se": DASH if math.isnan(row["top1_se"]) else f"{row['top1_se'] * 100:.1f}",
                "gain": DASH if math.isnan(row["gain"]) else f"{row['gain'] * 100:+.1f}",
                "gain_interval": interval(row["gain_low"], row["gain_high"], signed=True),
                "verdict": text(row["verdict"]) or ("baseline" if name == BASELINE else DASH),
                "worth": text(row["worth"]) or DASH,
                "images": f"{row['images_added']:.0f}",
                "agreement": share(row["label_agreement"]),
                "agreement_by": text(row["agreement_by"]).replace("_", " "),
                "seconds": f"{row['seconds']:.1f}",
                "price": f"{price[name]:.4f}" if price[name] < 0.1 else f"{price[name]:.2f}",
                "repetitions": row["repetitions"],
                "published": f"{told[0]:.1f} ± {told[1]:.1f}" if told else DASH,
            }
        )
    return rows


def pair_row(comparisons: pd.DataFrame, summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """The comparison of the arms' best rows; None where an arm has none."""
    best = summary["best"]
    own = comparisons[(comparisons["first"] == best["retrieve"]) & (comparisons["second"] == best["generate"])]
    return own.to_dict("records")[0] if len(own) else None


def curve_rows(curve: pd.DataFrame) -> list[dict[str, str]]:
    """The size curve's points."""
    return [
        {
            "images": f"{row.images_per_class:.0f}",
            "top1": f"{row.top1_mean * 100:.1f} %",
            "interval": interval(row.top1_low, row.top1_high),
        }
        for row in curve.itertuples()
    ]


def ledger_rows(ledger: pd.DataFrame) -> list[dict[str, Any]]:
    """The ledger's rows: of each step the sum over classes, then its classes (of many only the sum)."""
    from retrieval_vs_diffusion.comparison.ledger import COUNTS

    rows: list[dict[str, Any]] = []
    for (strategy, step, kind), own in ledger.groupby(["strategy", "step", "kind"], sort=False):
        several = (ledger[ledger["strategy"] == strategy]["step"] > 1).any()
        about = {"strategy": strategy, "step": f"{step}, {kind}" if several else str(kind)}
        rows.append({**about, "class": None, **{column: int(own[column].sum()) for column in COUNTS}})
        if len(own) <= MOST_CLASSES:
            rows += [{**about, **{key: row[key] for key in ("class", *COUNTS)}} for row in own.to_dict("records")]
    return rows


def cost_rows(costs: pd.DataFrame) -> list[dict[str, str]]:
    """The costs as text."""
    rows = []
    for row in costs.to_dict("records"):
        stages = {f"{stage}": f"{row[f'{stage}_seconds']:.1f}" for stage in ("personalise", "bring", "screen", "train")}
        peak = row["peak_memory_bytes"]
        rows.append(
            {
                "strategy": row["strategy"],
                **stages,
                "seconds": f"{row['seconds']:.1f}",
                "gpu": f"{row['gpu_seconds']:.1f}" if row["gpu_seconds"] else DASH,
                "peak": DASH if math.isnan(peak) else f"{peak / 2**30:.2f} GiB",
                "stored": in_units(row["stored_bytes"], ("B", "kB", "MB", "GB", "TB")) if row["stored_bytes"] else DASH,
                "flops": in_units(row["diffusion_flops"], ("", "k", "M", "G", "T", "P", "E"))
                if row["diffusion_flops"]
                else DASH,
                "price": f"{row['price']:.4f}",
            }
        )
    return rows


def class_rows(classes: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each class its test images, the baseline's accuracy, and the rows that are best."""
    rows = []
    for name, own in classes.groupby("class", sort=False):
        baseline = own[own["strategy"] == BASELINE]["top1_mean"]
        best = own[own["best"].astype(bool)]
        rows.append(
            {
                "class": name,
                "test_images": int(own["test_images"].iloc[0]),
                "baseline": share(float(baseline.iloc[0])) if len(baseline) else DASH,
                "best": ", ".join(best["strategy"]),
                "top1": share(float(best["top1_mean"].iloc[0])),
            }
        )
    return rows


def confusions(outcomes: Mapping[str, pd.DataFrame], class_names: Sequence[str]) -> dict[str, Any] | None:
    """For each row how much more often (points) than by the baseline one class is taken for another.

    Of more than ``MOST_CLASSES`` those that the baseline confuses most. None without a baseline.
    """
    if BASELINE not in outcomes or len(outcomes) < 2:
        return None
    matrices = {name: confusion(Outcomes.from_table(each), len(class_names)) for name, each in outcomes.items()}
    baseline = matrices.pop(BASELINE)
    wrong = 1 - np.diag(baseline)
    chosen = np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])
    within = np.ix_(chosen, chosen)
    return {
        "classes": [class_names[index] for index in chosen],
        "rows": {name: ((each - baseline)[within] * 100).round(1).tolist() for name, each in matrices.items()},
    }


def descriptions(figures: Mapping[str, Any], leaderboard: pd.DataFrame) -> dict[str, str]:
    """What each figure shows, for who cannot see it; the figures themselves stand in tables beside."""
    best = leaderboard.loc[leaderboard["top1_mean"].idxmax()]
    said = {
        "accuracy": f"Accuracy of every row with its interval; highest is {best['strategy']} with "
        f"{best['top1_mean'] * 100:.1f} %. All figures stand in the leaderboard.",
        "size_curve": "Accuracy against real images a class, with the rows standing on the curve; "
        "the column 'worth in real images' of the leaderboard has the figures.",
        "cost": "Points gained over the originals against seconds; the leaderboard and the table of costs have both.",
        "classes": "Gain of every row in every class; classes.csv has the figures.",
        "confusion": "How much more often than by the originals alone one class is taken for another.",
        "added_number": "Accuracy against the number of added images; added_images.csv has the figures.",
        "added_share": "Accuracy against the share of added images in a batch; added_images.csv has the figures.",
    }
    return {name: said[name] for name in figures}


def as_yaml(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings as they stand in YAML."""
    import yaml

    return {
        name: yaml.safe_dump(settings[name], sort_keys=False, width=100, allow_unicode=True)
        for name in ("protocol", "strategies", "personalisations")
    }


def without_nan(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with None for what is not known: it may come as NaN, or from the file as an empty column."""
    return [
        {name: None if value != value or value == "" else value for name, value in row.items()}  # NaN is not itself
        for row in table.to_dict("records")
    ]


def interval(low: float, high: float, signed: bool = False) -> str:
    """``72.1 to 76.0``, of fractions, in percent or points; empty where it is not known."""
    if math.isnan(low) or math.isnan(high):
        return ""
    sign = "+" if signed else ""
    return f"{low * 100:{sign}.1f} to {high * 100:{sign}.1f}"


def share(value: float | None) -> str:
    """A fraction in whole percent."""
    return DASH if value is None or math.isnan(value) else f"{value * 100:.0f} %"


def text(value: Any) -> str:
    """A cell of words; an empty one comes back from its file as NaN."""
    return value if isinstance(value, str) else ""


def in_units(value: float, units: Sequence[str]) -> str:
    """A large number in the unit that leaves one to three digits before the point."""
    step = min(int(math.log10(max(value, 1)) // 3), len(units) - 1)
    return f"{value / 1000**step:.3g} {units[step]}".strip()
