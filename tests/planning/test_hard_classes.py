"""Classes that look hard: vectors at known angles, and pictures whose class is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from retrieval_vs_diffusion.planning.hard_classes import agreements, class_table, retrievability


def axes(classes: int, width: int) -> np.ndarray:
    return np.eye(classes, width, dtype=np.float32)


def table(sample, pool_rows=1000, wanted=3, classes=6, shown=None) -> pd.DataFrame:
    names = [f"class {number}" for number in range(classes)]
    queries = axes(classes, sample.shape[1] if sample is not None else classes)
    made = class_table(names, [wanted] * classes, queries, sample, pool_rows, shown or {}, 0.7)
    return made.set_index("class")


def test_similarity_is_of_the_nearest_ten():
    # Class 0 has 20 images, ten right on it and ten at a right angle to every class.
    sample = np.concatenate([np.repeat(axes(1, 3), 10, axis=0), np.repeat([[0.0, 0.0, 1.0]], 10, axis=0)])
    similarity, nearest = retrievability(axes(2, 3), sample.astype(np.float32))
    assert similarity.tolist() == [1.0, 0.0]
    assert nearest.tolist() == [20.0, 0.0]  # of equals the first class has it


def test_a_class_far_below_the_others_looks_hard():
    # Of each class ten images that are so similar to it, and to no other.
    similarities = np.array([0.30, 0.31, 0.32, 0.33, 0.34, 0.20])
    sample = np.zeros((6, 7), dtype=np.float32)
    sample[np.arange(6), np.arange(6)], sample[:, 6] = similarities, np.sqrt(1 - similarities**2)
    made = table(np.repeat(sample, 10, axis=0))
    assert made["similarity"].round(2).tolist() == similarities.tolist()
    # Quartiles 0.3025 and 0.3275: what is below 0.3025 - 1.5 x 0.025 = 0.265 is far.
    assert made.loc["class 5", "hard_to_retrieve"] == "far from the pool's images"
    assert (made["hard_to_retrieve"].iloc[:5] == "").all()


def test_fewer_candidates_than_wanted_are_told_where_the_sample_can_tell():
    # 60 images of a pool of 1,000: class 0 has 5 of them, 83 in all; the others 11, 183.
    counts = [5, 11, 11, 11, 11, 11]
    sample = np.repeat(axes(6, 6), counts, axis=0)
    made = table(sample, wanted=100)
    assert made["expected_candidates"].round().tolist() == [83, *[183] * 5]
    assert "too few in the pool" in made.loc["class 0", "hard_to_retrieve"]
    assert (made["hard_to_retrieve"].iloc[1:] == "").all()
    # Of a pool of a million, a class with its 100 images would not be among 60: nothing is said.
    none_of_class_0 = np.repeat(axes(6, 6), [0, 11, 11, 11, 11, 11], axis=0)
    assert "too few" not in table(none_of_class_0, pool_rows=1_000_000, wanted=100).loc["class 0", "hard_to_retrieve"]


def test_without_a_pool_nothing_is_said_of_it():
    made = table(None)
    assert made["similarity"].isna().all()
    assert (made["hard_to_retrieve"] == "").all()


def test_low_agreement_of_what_was_generated_looks_hard():
    made = table(None, shown={0: (4, 4), 1: (4, 2)})
    assert made.loc["class 0", "agreement"] == 1.0
    assert made.loc["class 1", "agreement"] == 0.5
    assert made.loc["class 1", "hard_to_generate"]
    assert made["hard_to_generate"].drop("class 1").eq("").all()
    assert np.isnan(made.loc["class 2", "agreement"])  # not tried


def test_agreement_is_that_of_clip_with_the_labels(red_and_blue):
    class Seer:
        """Sees the first class in every image."""

        def embed_table(self, images):
            return np.tile(axes(1, 2), (len(images), 1))

    images = {"one": red_and_blue([0, 1]), "two": red_and_blue([1]), "none": red_and_blue([0]).take([])}
    assert agreements(images, axes(2, 2), Seer()) == {0: (1, 1), 1: (2, 0)}


def test_numbers_are_by_label():
    with pytest.raises(ValueError, match="same length"):
        class_table(["a", "b"], [1], axes(2, 2), None, 0, {}, 0.7)
