"""What a strategy's classifiers said of each test image: the ground of every comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Outcomes:
    """Predictions of one strategy, its repetitions crossed with the test images.

    Args:
        repetitions: their numbers, ascending.
        image_ids: of the test images, in one order for all repetitions.
        labels: true class of each image.
        predicted: class that each repetition's classifier gave it.
    """

    repetitions: tuple[int, ...]
    image_ids: tuple[str, ...]
    labels: Int[np.ndarray, " n"]
    predicted: Int[np.ndarray, "r n"]

    @property
    def correct(self) -> Bool[np.ndarray, "r n"]:
        """Where the prediction is right."""
        return self.predicted == self.labels

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> Outcomes:
        """Read what ``outcomes_table`` makes.

        Raises:
            ValueError: if repetitions saw other images.
        """
        rows = {int(number): each.sort_values("image_id") for number, each in table.groupby("repetition")}
        first = next(iter(rows.values()))
        ids = tuple(first["image_id"])
        if any(tuple(each["image_id"]) != ids for each in rows.values()):
            raise ValueError("repetitions were tested on other images; only the same ones can be compared")
        predicted = np.stack([rows[number]["predicted"].to_numpy(np.int64) for number in sorted(rows)])
        return cls(tuple(sorted(rows)), ids, first["label"].to_numpy(np.int64), predicted)


def outcomes_table(predictions: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """Predicted classes of all repetitions.

    Args:
        predictions: by repetition, as ``predict_test`` makes them.

    Returns:
        Columns ``repetition``, ``image_id``, ``label`` and ``predicted``.
    """
    import pandas as pd

    return pd.concat(
        [
            pd.DataFrame(
                {
                    "repetition": repetition,
                    "image_id": frame["image_id"],
                    "label": frame["label"],
                    "predicted": frame.drop(columns=["image_id", "label"]).to_numpy().argmax(axis=1),
                }
            )
            for repetition, frame in predictions.items()
        ],
        ignore_index=True,
    )


def paired(first: Outcomes, second: Outcomes) -> Float[np.ndarray, "r n"]:
    """First minus second, 1 where it alone is right and -1 where the other is, on the repetitions that both have.

    Raises:
        ValueError: if they were tested on other images.
    """
    if first.image_ids != second.image_ids:
        raise ValueError("the rows were tested on other images; only the same ones can be compared")
    both = sorted(set(first.repetitions) & set(second.repetitions))
    return _of(first, both) - _of(second, both)


def _of(outcomes: Outcomes, repetitions: Sequence[int]) -> Float[np.ndarray, "r n"]:
    rows = [outcomes.repetitions.index(number) for number in repetitions]
    return outcomes.correct[rows].astype(float)
