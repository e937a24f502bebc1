"""Which of an experiment's numbers MLflow is given, under which names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from mlflow.entities import Metric

from retrieval_vs_diffusion.comparison.ledger import totals
from retrieval_vs_diffusion.comparison.price import Price
from retrieval_vs_diffusion.mlflow_store import metric

_OF_A_ROW = ("top1_mean", "top1_low", "top1_high", "gain", "real_images")


def repetition_figures(figures: Mapping[str, Any], price: Price) -> Iterator[Metric]:
    """The numbers of a repetition; what is not known is left out."""
    for name in ("top1", "top5", "val_top1", "images_added", "label_agreement"):
        if figures[name] is not None:
            yield metric("best_val_top1" if name == "val_top1" else name, figures[name])
    for name, value in (figures["set"] or {}).items():
        if value is not None and name != "draw":
            yield metric(f"set/{name}", value)
    for stage, seconds in figures["seconds"].items():
        yield metric(f"seconds/{stage}", seconds)
    seconds = sum(figures["seconds"].values())
    yield metric("seconds", seconds)
    yield metric("price", seconds / 3600 * price.per_hour)
    for name in ("gpu_seconds", "peak_memory_bytes", "flops", "stored_bytes"):
        if figures[name] is not None:
            yield metric(name, figures[name])
    for column, count in totals(figures["ledger"]).items():
        yield metric(f"ledger/{column}", count)


def training_curves(history: pd.DataFrame) -> Iterator[Metric]:
    """Losses and validation accuracy of a classifier, by training step."""
    for row in history.to_dict("records"):
        for name in ("train_loss", "val_loss", "val_top1"):
            yield metric(name, row[name], row["step"])


def personalisation_curves(learned: Any) -> Iterator[Metric]:
    """Losses of a personalisation, by step; the first looks have none of the training."""
    for look in learned.curve.looks:
        for name in ("train_loss", "held_out_loss"):
            if look[name] is not None:
                yield metric(f"personalise/{name}", look[name], look["step"])


def index_figures(check: Mapping[str, Any]) -> Iterator[Metric]:
    """How much of exact search the index over the pool finds."""
    for kind in ("by_text", "by_image"):
        yield metric(f"index/recall_at_{check[kind]['k']}/{kind}", check[kind]["recall"])
        yield metric(f"index/seconds_per_query/{kind}", check[kind]["seconds_per_query"])


def comparison_figures(leaderboard: pd.DataFrame, size_curve: pd.DataFrame) -> Iterator[Metric]:
    """The numbers of each row, and accuracy against real images a class, which are the metric's step."""
    for row in leaderboard.to_dict("records"):
        for name in _OF_A_ROW:
            yield metric(f"{name}/{row['strategy']}", row[name])
    for point in size_curve.to_dict("records"):
        for name in ("top1", "top1_low", "top1_high"):
            value = point["top1_mean" if name == "top1" else name]
            yield metric(f"size_curve/{name}", value, round(point["images_per_class"]))
