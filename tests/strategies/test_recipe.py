import torch

from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.learned import Learned
from retrieval_vs_diffusion.strategies.recipe import recipes, sampling_of
from retrieval_vs_diffusion.strategies.source import Surroundings

NAMES = ("zero", "one")


def around(**resources) -> Surroundings:
    return Surroundings(NAMES, "simple_prompt", ("toy", "simple_prompt", "repetition_0", 0), resources)


def test_an_image_is_the_same_whatever_else_is_asked_for():
    everything = {
        (each.label, each.number): each for each in recipes(["a {name}"], {0: 3, 1: 3}, {0: 0, 1: 0}, around())
    }
    assert recipes(["a {name}"], {1: 1}, {1: 2}, around()) == [everything[1, 2]]
    turned = recipes(["a {name}"], {1: 3, 0: 3}, {0: 0, 1: 0}, around())
    assert {(each.label, each.number): each for each in turned} == everything


def test_no_two_images_share_a_seed_or_an_id():
    made = recipes(["a {name}"], {0: 50, 1: 50}, {0: 0, 1: 0}, around())
    assert len({each.seed for each in made}) == len({each.image_id for each in made}) == 100
    assert made[0].image_id == "toy/simple_prompt/repetition_0/0/zero/0"


def test_templates_are_used_in_turn_by_the_images_number():
    made = recipes(["a {name}", "the {name}"], {1: 3}, {1: 1}, around())
    assert [each.prompt for each in made] == ["the one", "a one", "the one"]  # numbers 1, 2, 3


def test_a_pseudo_word_stands_for_the_name_where_one_was_learned():
    learned = Learned({"zero": "<zero>", "one": "<one>"}, {"<zero>": torch.zeros(1, 4), "<one>": torch.zeros(1, 4)})
    plain, personal = (recipes(["a {name}"], {1: 1}, {1: 0}, each) for each in (around(), around(learned=learned)))
    assert (plain[0].prompt, personal[0].prompt) == ("a one", "a <one>")
    assert plain[0].seed == personal[0].seed


def test_a_strategys_sampling_overrides_the_worlds():
    world = Sampling(steps=15, guidance_scale=3)
    own = Sampling(guidance_scale=1)  # sets one value and leaves the steps to the world
    assert sampling_of(own, around(sampling=world)) == Sampling(steps=15, guidance_scale=1)
