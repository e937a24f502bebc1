import pytest

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.generate.text_to_image import TextToImage
from retrieval_vs_diffusion.strategies.source import Surroundings

PART = TextToImage(prompts=("a photo of a {name}", "a {name}"))


@pytest.fixture
def surroundings(diffusion) -> Surroundings:
    resources = {"diffusion": diffusion, "sampling": Sampling(steps=2, batch_size=2)}
    return Surroundings(("zero", "one"), "simple_prompt", ("toy", "simple_prompt", 0), resources)


def made(surroundings: Surroundings, wanted: dict[int, int], first: dict[int, int]) -> dict[str, bytes]:
    return {row["image_id"]: row["image"]["bytes"] for row in PART.propose(wanted, first, surroundings)}


def test_a_row_holds_the_image_and_the_recipe_that_makes_it_again(surroundings):
    row = list(PART.propose({1: 2}, {1: 0}, surroundings))[1]
    assert codec.decode(row["image"]["bytes"]).shape == (16, 16, 3)
    assert (row["label"], row["prompt"], row["checkpoint"]) == (1, "a one", "tiny")  # number 1: the second template
    assert row["seed"] == surroundings.seed("generate", "one", 1)
    assert row["source"] == "text_to_image"


def test_an_image_has_the_same_bytes_whatever_is_asked_for_with_it_and_in_which_order(surroundings):
    everything = made(surroundings, {0: 3, 1: 2}, {0: 0, 1: 0})
    assert len(set(everything.values())) == 5  # five images, no two alike
    turned = made(surroundings, {1: 2, 0: 3}, {0: 0, 1: 0})
    assert turned == everything
    assert list(turned) != list(everything)
    later = made(surroundings, {0: 1}, {0: 2})  # alone in a padded batch
    assert later.items() <= everything.items()


def test_another_repetition_makes_other_images(surroundings):
    other = Surroundings(("zero", "one"), "simple_prompt", ("toy", "simple_prompt", 1), surroundings.resources)
    one, two = (set(made(each, {0: 2}, {0: 0}).values()) for each in (surroundings, other))
    assert not one & two


def test_a_strategys_own_sampling_is_used(surroundings):
    plain = made(surroundings, {0: 1}, {0: 0})
    guided = TextToImage(prompts=PART.prompts, sampling={"guidance_scale": 9.0, "steps": 3})
    rows = list(guided.propose({0: 1}, {0: 0}, surroundings))
    assert rows[0]["image_id"] in plain
    assert rows[0]["image"]["bytes"] != plain[rows[0]["image_id"]]
