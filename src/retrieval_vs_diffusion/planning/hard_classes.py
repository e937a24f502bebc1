"""Classes that look hard to retrieve, by their prompts, or hard to generate, by what CLIP sees in a few images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from retrieval_vs_diffusion.images.image_table import ImageTable

NEAREST = 10  # images of the sample that stand for what a class would be given
COLUMNS = (
    *("class", "similarity", "nearest_in_sample", "expected_candidates", "wanted", "generated", "agreement"),
    *("hard_to_retrieve", "hard_to_generate"),
)


def class_table(
    class_names: Sequence[str],
    wanted: Sequence[int],
    queries: Float[np.ndarray, "c d"],
    sample: Float[np.ndarray, "n d"] | None,
    pool_rows: int,
    shown: Mapping[int, tuple[int, int]],
    low_agreement: float,
) -> pd.DataFrame:
    """A row a class, in the order of labels.

    Args:
        class_names: by label.
        wanted: images that a strategy adds to each class at most.
        queries: unit embedding of each class's prompts.
        sample: unit embeddings of some of the pool's images; None without a pool.
        pool_rows: images of the whole pool.
        shown: of classes for which images were generated how many, and how many of those CLIP sees as their class.
        low_agreement: a share of them below which a class looks hard to generate.

    Returns:
        The columns ``COLUMNS``. A class looks hard to retrieve if its similarity is below the lower quartile by more
        than one and a half times the quartiles' distance (Tukey 1977), or if the sample lets fewer candidates expect
        than are wanted; the latter only where a class with just as many would have an image in the sample.
    """
    table = pd.DataFrame({"class": list(class_names), "wanted": list(wanted)})
    similarity, nearest = retrievability(queries, sample)
    table["similarity"], table["nearest_in_sample"] = similarity, nearest
    size = 0 if sample is None else len(sample)
    table["expected_candidates"] = nearest / size * pool_rows if size else np.nan
    low, high = np.nanquantile(similarity, [0.25, 0.75]) if size else (np.nan, np.nan)
    too_few = (table["expected_candidates"] < table["wanted"]) & sample_tells(table["wanted"], size, pool_rows)
    far = table["similarity"] < low - 1.5 * (high - low)
    table["hard_to_retrieve"] = [_reasons(a, b) for a, b in zip(far, too_few, strict=True)]
    table["generated"] = [shown.get(label, (0, 0))[0] for label in range(len(table))]
    agreed = [shown.get(label, (0, 0))[1] for label in range(len(table))]
    table["agreement"] = np.divide(agreed, table["generated"].replace(0, np.nan))
    hard = table["agreement"] < low_agreement
    table["hard_to_generate"] = np.where(hard, "CLIP sees other classes in its images", "")
    return table[list(COLUMNS)]


def retrievability(
    queries: Float[np.ndarray, "c d"], sample: Float[np.ndarray, "n d"] | None
) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, " c"]]:
    """Of each class the mean similarity of the nearest images, and how many images it is the nearest class of."""
    classes = len(queries)
    if sample is None or not len(sample):
        return np.full(classes, np.nan), np.full(classes, np.nan)
    similarities = np.asarray(sample, dtype=np.float64) @ np.asarray(queries, dtype=np.float64).T
    nearest = np.sort(similarities, axis=0)[-NEAREST:].mean(axis=0)
    counts = np.bincount(similarities.argmax(axis=1), minlength=classes).astype(float)
    return nearest, counts


def sample_tells(wanted: Any, sample: int, pool_rows: int) -> Any:
    """Whether a class with just as many images in the pool as are wanted would have one in the sample."""
    return wanted * sample >= pool_rows


def agreements(
    images: Mapping[str, ImageTable], queries: Float[np.ndarray, "c d"], clip: Any
) -> dict[int, tuple[int, int]]:
    """Of each class how many images strategies generated, and in how many CLIP sees that class of all."""
    found: dict[int, tuple[int, int]] = {}
    for table in images.values():
        if not len(table):
            continue
        seen = (clip.embed_table(table) @ queries.T).argmax(axis=1)
        for label, shown in zip(table.labels().tolist(), seen.tolist(), strict=True):
            made, right = found.get(label, (0, 0))
            found[label] = (made + 1, right + int(label == shown))
    return found


def _reasons(far: bool, too_few: bool) -> str:
    reasons = ["far from the pool's images"] * bool(far) + ["too few in the pool"] * bool(too_few)
    return ", ".join(reasons)
