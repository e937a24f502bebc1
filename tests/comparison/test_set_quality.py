import json

import numpy as np
import pytest

from retrieval_vs_diffusion.comparison.set_quality import measure_set_quality
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.models.vector_index import Embeddings, build_index

NAMES = ("red", "blue")
NOT_GENERATED = dict.fromkeys(("nearest_pool_mean", "nearest_pool_max", "copied_share"))


def generated(images: ImageTable) -> ImageTable:
    return ImageTable.from_rows({**row, "checkpoint": "tiny", "true_label": None} for row in images.table.to_pylist())


@pytest.fixture
def measure(red_and_blue, clip, device):
    """Measures a set against eight validation images, with the CLIP of the tests."""
    val = Embeddings(clip.embed_images(red_and_blue([0, 1] * 4, seed=50).pixels()), clip.name)

    def measured(images: ImageTable, **more) -> dict:
        return measure_set_quality(images, NAMES, clip, val, 0.93, device, **more)

    return measured


@pytest.fixture
def pool_and_index(red_and_blue, clip) -> dict:
    pool = red_and_blue([0, 1] * 6, seed=9)
    return {"pool": pool, "index": build_index(Embeddings(clip.embed_images(pool.pixels()), clip.name))}


def test_images_like_those_of_validation_are_nearer_to_it(red_and_blue, measure):
    alike, one_sided = measure(red_and_blue([0, 1] * 4, seed=1)), measure(red_and_blue([0] * 8, seed=1))
    assert alike["kid"] < one_sided["kid"]  # the second has red images alone
    assert (alike["label_agreement"], alike["agreement_by"]) == (1.0, "true_labels")
    assert alike["near_duplicate_share"] == 0
    assert 0 < alike["diversity"] < 1
    assert json.loads(json.dumps(alike)) == alike


def test_what_is_not_generated_copies_nothing(red_and_blue, measure, pool_and_index):
    measured = measure(red_and_blue([0, 1]), **pool_and_index)
    assert {name: measured[name] for name in NOT_GENERATED} == NOT_GENERATED


def test_of_a_mixed_set_the_generated_images_alone_are_compared_with_the_pool(red_and_blue, measure, pool_and_index):
    pool = pool_and_index["pool"]
    copies, own = generated(pool.take([0, 1, 2])), generated(red_and_blue([0], seed=3))
    measured = measure(ImageTable.concatenate([pool.take([4, 5, 6, 7]), copies, own]), **pool_and_index)
    assert measured["copied_share"] == 0.75  # three of the four that were generated; pool images do not count
    assert measured["nearest_pool_max"] == pytest.approx(1, abs=1e-5)
    assert measured["nearest_pool_mean"] <= measured["nearest_pool_max"]


def test_without_a_pool_nothing_is_said_of_copying(red_and_blue, measure):
    measured = measure(generated(red_and_blue([0, 1])))
    assert {name: measured[name] for name in NOT_GENERATED} == NOT_GENERATED
    assert measured["agreement_by"] == "clip_zero_shot"


def test_of_no_images_nothing_is_said(measure, pool_and_index):
    assert set(measure(ImageTable.from_rows([]), **pool_and_index).values()) == {None}


def test_classes_of_one_image_have_no_pairs(red_and_blue, measure):
    measured = measure(red_and_blue([0, 1]))
    assert (measured["diversity"], measured["near_duplicate_share"]) == (None, None)
    assert measure(red_and_blue([0]))["kid"] is None
    assert measured["kid"] is not None  # two images are a pair, whatever their classes


def test_images_may_be_of_any_size(red_and_blue, measure, clip, pool_and_index):
    from retrieval_vs_diffusion.images.image_table import image_row

    large = image_row(np.full((40, 24, 3), 90, np.uint8), "large", label=0, checkpoint="tiny")
    small = image_row(np.full((8, 8, 3), 200, np.uint8), "small", label=0, checkpoint="tiny")
    measured = measure(ImageTable.from_rows([large, small]), **pool_and_index)
    assert measured["copied_share"] == 0  # flat pictures resemble nothing
    assert measured["diversity"] is not None


def test_embeddings_of_another_model_are_an_error(red_and_blue, clip, measure, pool_and_index, device):
    other = Embeddings(np.eye(16, dtype=np.float32), "other")
    with pytest.raises(ValueError, match="the pool were embedded by other, the added images by "):
        measure(red_and_blue([0]), pool=pool_and_index["pool"], index=build_index(other))
    with pytest.raises(ValueError, match="the validation images were embedded by other"):
        measure_set_quality(red_and_blue([0]), NAMES, clip, other, 0.93, device)


def test_images_that_clip_makes_no_numbers_of_count_for_nothing_and_no_figure_is_nan(
    red_and_blue, clip, device, monkeypatch
):
    images = red_and_blue([0, 1] * 4, seed=1)
    val = Embeddings(clip.embed_images(red_and_blue([0, 1] * 4, seed=50).pixels()), clip.name)

    def figures(table: ImageTable, of_val: Embeddings = val) -> dict:
        return measure_set_quality(table, NAMES, clip, of_val, 0.93, device)

    expected = figures(images.take(range(6)))
    broken_val = np.concatenate([val.vectors, np.full_like(val.vectors[:2], np.nan)])
    embed = clip.embed_images
    monkeypatch.setattr(
        clip, "embed_images", lambda squares, *_: embed(squares) * (np.arange(len(squares)) < 6)[:, None]
    )
    measured = figures(images, Embeddings(broken_val, clip.name))
    for name in ("kid", "diversity"):
        assert measured[name] == pytest.approx(expected[name], abs=1e-6)
    monkeypatch.setattr(clip, "embed_images", lambda squares, *_: embed(squares) * 0)
    nothing = figures(images)
    assert (nothing["kid"], nothing["diversity"]) == (None, None)  # left out, and not 0 or NaN
    json.dumps(nothing, allow_nan=False)


def test_a_set_without_images_and_one_of_a_single_image_have_no_figures_that_need_more(red_and_blue, measure):
    for images in (red_and_blue([0]).take([]), red_and_blue([0])):
        measured = measure(images)
        assert (measured["kid"], measured["diversity"], measured["near_duplicate_share"]) == (None, None, None)
        json.dumps(measured, allow_nan=False)
