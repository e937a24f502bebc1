"""Seconds and bytes of pieces of work; each figure is worked out beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retrieval_vs_diffusion.models.index_settings import IndexSettings
from retrieval_vs_diffusion.planning import work
from retrieval_vs_diffusion.planning.timings import RowTiming
from retrieval_vs_diffusion.training.recipe import ClassifierTraining
from tests.planning.stand_ins import GENERATE, LEARN, LEARNING, RECIPE, RETRIEVE, TRAIN


def bring(step, images=60, classes=2, originals=20, search=0.0):
    return work.bring_seconds(step, images, classes, originals, search)


def test_a_batch_that_is_not_full_takes_as_long_as_a_full_one():
    # 60 images are 2 batches of 50: 2 x 4 s; and 60 x (0.1 + 0.1) s beside.
    assert bring(GENERATE) == pytest.approx(8 + 12)
    assert bring(GENERATE, images=50) == pytest.approx(4 + 10)
    assert bring(GENERATE, images=51) == pytest.approx(8 + 10.2)


def test_candidates_and_refused_images_are_generated_too():
    # The best of 4, a fifth more brought than used: 60 x 1.2 = 72 brought, 288 generated in 6 batches.
    step = replace(GENERATE, generated_an_image=4.0, brought_an_image=1.2)
    assert bring(step) == pytest.approx(6 * 4 + 72 * 0.2)


def test_searches_grow_with_classes_or_with_originals():
    # 60 x (0.05 + 0.05) s, and one query of 2 s for each of 2 classes, or of 20 originals.
    assert bring(RETRIEVE, search=2.0) == pytest.approx(6 + 2 * 2)
    assert bring(replace(RETRIEVE, queries_by_original=True), search=2.0) == pytest.approx(6 + 20 * 2)


def test_a_step_that_fills_up_brings_what_the_first_left_short():
    steps = (replace(RETRIEVE, asked_share=1.0), replace(GENERATE, asked_share=0.5))
    assert bring(steps[1]) == pytest.approx(4 + 30 * 0.2)  # 30 images: one batch
    # The first table has 60 images, the second has those and 30 more, of 600 bytes each.
    assert work.tables_bytes(RowTiming(steps), 60) == 600 * (60 + 90)
    replacing = (steps[0], replace(GENERATE, replaces=True))
    assert work.tables_bytes(RowTiming(replacing), 60) == 600 * (60 + 60)


def test_learning_grows_with_steps_looks_and_originals():
    # 2 s + 100 x 0.6 s; 16 originals more than the pilot's 4, 0.1 s each; 5 looks (one before step 1) at 4 held-out
    # images at 4 noise levels: 80 images, a third of 0.06 s each.
    assert work.learn_seconds(LEARN, LEARNING, 20) == pytest.approx(2 + 60 + 1.6 + 80 * 0.02)
    assert work.learn_seconds(LEARN, None, 20) == pytest.approx(2 + 1.6)  # a part without such settings
    assert work.learned_bytes(LEARN, 1000) == 100 + 1000 * 50


def test_training_grows_with_steps_images_and_looks():
    # 1 s + 10 x 0.5 s; 80 + 20 images decoded in 0.01 s each; 5 looks at 20 images, 0.02 s each.
    assert work.train_seconds(TRAIN, RECIPE, images=80, val=20) == pytest.approx(1 + 5 + 1 + 2)
    probe = replace(TRAIN, by_image=0.1)
    assert work.train_seconds(probe, ClassifierTraining(features="clip"), 80, 20) == pytest.approx(10)
    assert work.test_seconds(TRAIN, 100) == pytest.approx(3)


def test_searching_reads_all_vectors_or_the_lists_that_are_looked_at():
    # 1,000 vectors of 10 dimensions: 20,000 operations a query.
    assert work.search_seconds(1000, 10, IndexSettings(), 1e6) == pytest.approx(0.02)
    assert work.search_seconds(1000, 10, IndexSettings(factory="stream"), 1e6) == pytest.approx(0.02)
    # Nothing is built; two hundred queries are checked: 200 x 0.02 s.
    assert work.index_seconds(1000, 10, IndexSettings(factory="stream"), 1e6) == pytest.approx(4)
    # 8 of 64 lists.
    assert work.search_seconds(1000, 10, IndexSettings(factory="IVF64,Flat"), 1e6) == pytest.approx(0.02 / 8)


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        ("stream", 0),
        ("Flat", 1000 * 256),  # 64 numbers of 4 bytes
        ("IVF16,SQ8", 1000 * (64 + 8) + 16 * 256),  # a byte each, the row's number, and 16 centres
        ("OPQ16_64,IVF16,PQ16", 1000 * (16 + 8) + 16 * 256),
    ],
)
def test_bytes_of_an_index_follow_its_codes(factory, expected):
    assert work.index_bytes(1000, 64, IndexSettings(factory=factory)) == expected


def test_predictions_grow_with_images_and_classes():
    assert work.predictions_bytes(50_000, 1000) == pytest.approx(50_000 * 4060)
