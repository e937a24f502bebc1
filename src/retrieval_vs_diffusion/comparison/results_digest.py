"""A short digest of what decides the table, and of each row's part in it: the same seed, the same digest.

What varies from run to run (seconds, costs, dates, places) has no part in it. The order of strategies has none either;
the order of a row's added images has, for batches are drawn by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_table import ImageTable

_SHORT = 12  # hex digits
# What a repetition brings to the leaderboard and to the choice of the rows that stand for their arms.
_FIGURES = ("top1", "top5", "val_top1", "best_step", "images_added", "label_agreement", "agreement_by")


def digest_of_repetition(images: ImageTable | None, predictions: pd.DataFrame) -> dict[str, str | None]:
    """What a repetition's digest is made of that its figures do not hold.

    Args:
        images: the added ones; None where nothing is added. Their hashes stand in a column, no picture is read.
        predictions: as ``predict_test`` makes them.
    """
    probabilities = predictions.drop(columns=["image_id", "label"]).to_numpy()
    about = (predictions["image_id"], predictions["label"].tolist(), probabilities.argmax(axis=1).tolist())
    return {"images": _digest_of_images(images), "predictions": _short(sorted(zip(*about, strict=True)))}


def results_digest(results: Mapping[str, Mapping[str, Any]], size_curve: pd.DataFrame | None) -> dict[str, Any]:
    """The digest of a table.

    Args:
        results: of each row, as ``gather`` makes them.
        size_curve: as ``collect_outcomes`` makes it; None where the table was made without.

    Returns:
        ``digest`` of everything; ``rows``, that of each row by name, the size curve among them; and ``parts``, the
        same by row, repetition and kind. All are in the order of names, so that ``diff`` of two
        files shows what differs.
    """
    parts = {name: dict(_of_row(results[name])) for name in sorted(results)}
    if size_curve is not None:
        parts["size_curve"] = dict(_of_curve(size_curve))
    named = {f"{name}.{part}": value for name, row in parts.items() for part, value in row.items()}
    return {
        "digest": _short(named),
        "rows": {name: _short(row) for name, row in parts.items()},
        "parts": named,
    }


def _of_row(result: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    for row in sorted(result["repetitions"], key=lambda row: row["repetition"]):
        place = f"repetition_{row['repetition']}"
        for kind, value in row["digest"].items():
            yield f"{place}.{kind}", value
        yield f"{place}.figures", _short([row.get(name) for name in _FIGURES])


def _of_curve(outcomes: pd.DataFrame) -> Iterator[tuple[str, str]]:
    columns = ["image_id", "label", "predicted", "originals"]
    for (variant, repetition), own in outcomes.groupby(["variant", "repetition"]):
        said = sorted(map(list, own[columns].itertuples(index=False)))
        yield f"{variant.split('.')[-1]}.repetition_{repetition}.predictions", _short(said)


def _digest_of_images(images: ImageTable | None) -> str | None:
    if images is None:
        return None
    return _short([images.column(name) for name in ("image_id", "content_hash", "label")])


def _short(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:_SHORT]
