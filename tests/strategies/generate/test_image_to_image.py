import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.generate.image_to_image import ImageToImage
from retrieval_vs_diffusion.strategies.source import Surroundings

PART = ImageToImage(strength=0.5)


@pytest.fixture
def originals(red_and_blue):
    return red_and_blue([0, 1, 0, 1, 1])


@pytest.fixture
def surroundings(diffusion, originals) -> Surroundings:
    resources = {"diffusion": diffusion, "sampling": Sampling(steps=2, batch_size=2), "originals": originals}
    return Surroundings(("red", "blue"), "boomerang", ("toy", "boomerang", 0), resources)


def made(surroundings: Surroundings, wanted: dict[int, int], first: dict[int, int]) -> dict[str, bytes]:
    return {row["image_id"]: row["image"]["bytes"] for row in PART.propose(wanted, first, surroundings)}


def test_image_number_k_starts_from_original_k_of_its_class_in_turn(surroundings):
    rows = list(PART.propose({1: 4, 0: 2}, {1: 0, 0: 1}, surroundings))
    assert [row["parent"] for row in rows] == ["toy/1", "toy/3", "toy/4", "toy/1", "toy/2", "toy/0"]
    assert [row["label"] for row in rows] == [1, 1, 1, 1, 0, 0]


def test_a_row_says_how_it_was_made(surroundings):
    (row,) = PART.propose({0: 1}, {0: 0}, surroundings)
    assert (row["source"], row["prompt"], row["checkpoint"]) == ("image_to_image", "", "tiny")
    assert json.loads(row["recipe"])["strength"] == 0.5
    assert codec.decode(row["image"]["bytes"]).shape == (16, 16, 3)


def test_an_image_has_the_same_bytes_whatever_is_asked_for_with_it_and_in_which_order(surroundings):
    everything = made(surroundings, {0: 3, 1: 2}, {0: 0, 1: 0})
    assert len(set(everything.values())) == 5  # five images, no two alike
    assert made(surroundings, {1: 2, 0: 3}, {0: 0, 1: 0}) == everything
    assert made(surroundings, {1: 1}, {1: 1}).items() <= everything.items()


def test_two_images_from_one_original_differ_by_their_noise(surroundings):
    rows = list(PART.propose({0: 4}, {0: 0}, surroundings))  # two originals, each twice
    assert rows[0]["parent"] == rows[2]["parent"]
    assert rows[0]["image"]["bytes"] != rows[2]["image"]["bytes"]


@pytest.mark.parametrize(
    ("steps", "strength", "made"),
    [(10, 1.0, 10), (10, 0.5, 5), (10, 0.2, 2), (10, 0.01, 1), (15, 0.01, 1), (2, 0.01, 1), (1, 0.5, 1), (1, 1.0, 1)],
)
def test_the_strength_is_the_share_of_the_steps_that_are_made_and_one_always_is(
    diffusion, originals, steps, strength, made
):
    calls = []
    diffusion.pipeline.unet.register_forward_hook(lambda *_: calls.append(1))
    sampling = Sampling(steps=steps, batch_size=1)
    (image,) = diffusion.image_to_image([""], list(originals.pixels()[:1]), strength, [1], sampling)
    assert image.shape == (16, 16, 3)
    assert len(calls) == made


def test_originals_are_resized_where_a_resolution_is_set(diffusion, originals):
    sampling = Sampling(steps=2, batch_size=1, resolution=32)
    (image,) = diffusion.image_to_image([""], list(originals.pixels()[:1]), 0.5, [1], sampling)
    assert image.shape == (32, 32, 3)


@pytest.mark.parametrize("strength", [0, -0.1, 1.01])
def test_a_strength_out_of_range_is_refused(strength):
    with pytest.raises(ValidationError, match="strength"):
        ImageToImage(strength=strength)


def test_originals_of_all_sizes_become_squares_of_the_models_own(diffusion, surroundings, red_and_blue):
    wide = np.full((20, 40, 3), 200, np.uint8)
    tall = np.full((50, 30, 3), 100, np.uint8)
    mixed = ImageTable.from_rows([image_row(wide, "wide", label=0), image_row(tall, "tall", label=0)])
    given = replace(surroundings, resources={**surroundings.resources, "originals": mixed})
    rows = list(PART.propose({0: 2}, {0: 0}, given))
    assert [codec.decode(row["image"]["bytes"]).shape for row in rows] == [(16, 16, 3)] * 2
    assert [row["parent"] for row in rows] == ["wide", "tall"]


def test_it_may_start_from_what_the_step_before_brought_and_replaces_it(surroundings, red_and_blue):
    part = ImageToImage(strength=0.5, start_from="previous_step")
    assert part.needs == ("diffusion", "sampling")
    assert part.consumes_previous
    assert not PART.consumes_previous
    brought = red_and_blue([1, 1], name="found")
    rows = list(part.propose({0: 2, 1: 3}, {0: 0, 1: 0}, replace(surroundings, previous=brought)))
    assert [row["parent"] for row in rows] == ["found/0", "found/1", "found/0"]  # none for class 0, which has none
    assert {row["label"] for row in rows} == {1}


def test_less_strength_stays_nearer_to_the_original(diffusion, originals):
    """Mean distance over the five originals; the all but random autoencoder alone is some way off."""
    starts = originals.pixels()
    sampling = Sampling(steps=10, batch_size=5)
    near = np.stack(list(diffusion.image_to_image(["a"] * 5, list(starts), 0.001, list(range(5)), sampling)))
    distance = []
    for strength in (0.1, 0.5, 1.0):
        images = diffusion.image_to_image(["a"] * 5, list(starts), strength, list(range(5)), sampling)
        distance.append(float(abs(np.stack(list(images)).astype(int) - near).mean()))
    assert distance[0] < distance[1] < distance[2]
