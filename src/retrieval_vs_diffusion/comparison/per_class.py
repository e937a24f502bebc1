"""Class by class: which row wins where, and what is taken for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from retrieval_vs_diffusion.comparison.baseline import BASELINE
from retrieval_vs_diffusion.comparison.outcomes import Outcomes

COLUMNS = ("strategy", "class", "test_images", "top1_mean", "gain", "best")


def per_class(outcomes: Mapping[str, Outcomes], class_names: Sequence[str]) -> pd.DataFrame:
    """A row for each strategy and class of which there are test images.

    ``top1_mean`` is the share of the class's images that are right, over all repetitions; ``gain`` that
    minus the baseline's (NaN without one); ``best`` marks the highest of each class, all of them where
    several are equal. With some fifty images a class these figures are rough, and they are not tested.
    """
    accuracies = {name: _by_class(each, len(class_names)) for name, each in outcomes.items()}
    baseline = accuracies.get(BASELINE)
    if not accuracies:
        return pd.DataFrame(columns=list(COLUMNS))
    labels = next(iter(outcomes.values())).labels
    images = np.bincount(labels, minlength=len(class_names))
    highest = np.max(list(accuracies.values()), axis=0)
    rows = [
        {
            "strategy": name,
            "class": class_names[label],
            "test_images": int(images[label]),
            "top1_mean": accuracy[label],
            "gain": accuracy[label] - baseline[label] if baseline is not None else np.nan,
            "best": bool(np.isclose(accuracy[label], highest[label])),
        }
        for name, accuracy in accuracies.items()
        for label in np.flatnonzero(images).tolist()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _by_class(outcomes: Outcomes, classes: int) -> Float[np.ndarray, " c"]:
    right = outcomes.correct.mean(axis=0)
    images = np.bincount(outcomes.labels, minlength=classes)
    return np.bincount(outcomes.labels, weights=right, minlength=classes) / np.maximum(images, 1)


def confusion(outcomes: Outcomes, classes: int) -> Float[np.ndarray, "c c"]:
    """Share of each class's test images (rows) that are taken for each class (columns), over all repetitions.

    Rows of classes without test images are zero.
    """
    counts = np.zeros((classes, classes))
    labels = np.broadcast_to(outcomes.labels, outcomes.predicted.shape)
    np.add.at(counts, (labels.ravel(), outcomes.predicted.ravel()), 1.0)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
