import json
from dataclasses import replace

import numpy as np
import torch

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import content_hash
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.class_table import ClassTable
from retrieval_vs_diffusion.strategies.conditions import ClassPrompts
from retrieval_vs_diffusion.strategies.generate.image_to_image import ImageToImage
from retrieval_vs_diffusion.strategies.generate.text_to_image import TextToImage
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
    words = ClassPrompts([{"name": "<zero>"}, {"name": "<one>"}])
    given = (around(), replace(around(), conditions=words))
    plain, personal = (recipes(["a {name}"], {1: 1}, {1: 0}, each) for each in given)
    assert (plain[0].prompt, personal[0].prompt) == ("a one", "a <one>")
    assert plain[0].seed == personal[0].seed


def test_a_strategys_sampling_overrides_the_worlds():
    world = Sampling(steps=15, guidance_scale=3)
    own = Sampling(guidance_scale=1)  # sets one value and leaves the steps to the world
    assert sampling_of(own, around(sampling=world)) == Sampling(steps=15, guidance_scale=1)


def test_prompts_may_say_what_the_class_table_knows():
    given = replace(around(), class_table=ClassTable({"one": {"definition": "a line", "name": "unit"}}))
    (made,) = recipes(["{name}, {definition}"], {1: 1}, {1: 0}, given)
    assert made.prompt == "unit, a line"
    assert made.image_id.endswith("/one/0")  # the class itself, whatever it is called in prompts


def test_a_row_alone_is_enough_to_make_its_image_again(diffusion, red_and_blue):
    originals = red_and_blue([0, 1])
    world = around(diffusion=diffusion, sampling=Sampling(steps=2, batch_size=3), originals=originals)
    by_text = TextToImage(prompts=("a {name}",), sampling={"guidance_scale": 5.0})
    by_image = ImageToImage(strength=0.5, prompts=("the {name}",))
    rows = [row for part in (by_text, by_image) for row in part.propose({0: 2, 1: 2}, {0: 0, 1: 0}, world)]
    assert len({row["image"]["bytes"] for row in rows}) == 8
    for row in rows:
        recipe = json.loads(row["recipe"])
        sampling = Sampling(**recipe["sampling"])
        assert (recipe["precision"], recipe["device"], row["checkpoint"]) == ("float32", "cpu", "tiny")
        assert recipe["threads"] == torch.get_num_threads()
        if recipe["generator"] == "text_to_image":
            assert sampling.guidance_scale == 5.0
            (again,) = diffusion.text_to_image([row["prompt"]], [row["seed"]], sampling)
        else:
            (parent,) = (number for number, each in enumerate(originals.column("image_id")) if each == row["parent"])
            start = [originals.pixels()[parent]]
            arguments = ([row["prompt"]], start, recipe["strength"], [row["seed"]], sampling)
            (again,) = diffusion.image_to_image(*arguments)
        assert np.array_equal(again, codec.decode(row["image"]["bytes"]))


def test_ids_come_from_the_recipe_and_hashes_from_the_pixels(diffusion):
    world = around(diffusion=diffusion, sampling=Sampling(steps=2, batch_size=1))
    plain, guided = (
        next(TextToImage(sampling={"guidance_scale": scale}).propose({0: 1}, {0: 0}, world)) for scale in (1.0, 8.0)
    )
    assert plain["image_id"] == guided["image_id"] == "toy/simple_prompt/repetition_0/0/zero/0"
    assert plain["content_hash"] != guided["content_hash"]
    assert plain["content_hash"] == content_hash(codec.decode(plain["image"]["bytes"]))
    assert json.loads(plain["recipe"])["sampling"]["guidance_scale"] == 1.0
