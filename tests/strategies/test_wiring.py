import pytest

from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.composition import parse_strategy
from retrieval_vs_diffusion.strategies.wiring import datasets_of, prepare, resources_of

CPU = {"device": "cpu", "threads": 1}


def test_a_step_is_given_what_its_part_needs():
    strategy = parse_strategy("a", {"retrieve": {"type": "by_text"}}, {})
    assert resources_of(strategy.steps[0], strategy) == ("clip", "pool", "index")


def test_a_generate_step_is_given_what_the_personalisation_learned_and_a_retrieve_step_is_not():
    entry = {
        "personalise": "words",
        "steps": [{"retrieve": {"type": "by_text"}}, {"generate": {"type": "text_to_image"}}],
    }
    strategy = parse_strategy("a", entry, {"words": object()})
    retrieve, generate = strategy.steps
    assert "learned" not in resources_of(retrieve, strategy)
    assert resources_of(generate, strategy) == ("diffusion", "sampling", "learned")


def test_resources_are_datasets_of_the_catalog():
    assert datasets_of(("clip", "pool", "index")) == {"clip": "clip", "pool": "pool.images", "index": "pool.index"}
    assert datasets_of(("learned",), "personalise.words.shared.learned") == {
        "learned": "personalise.words.shared.learned"
    }


def test_originals_and_held_back_images_are_views_of_one_reservoir():
    reservoir = {"reservoir": "target.reservoir", "train_per_class": "params:target.train_per_class"}
    assert datasets_of(("originals",)) == datasets_of(("held_back",)) == reservoir


def test_a_resource_that_nobody_provides_is_named():
    with pytest.raises(ValueError, match='a part needs "judge"; resources are clip, diffusion'):
        datasets_of(("judge",))


def test_a_restyling_step_is_given_no_originals():
    steps = [
        {"retrieve": {"type": "by_text"}},
        {"generate": {"type": "image_to_image", "start_from": "previous_step", "strength": 0.5}},
    ]
    strategy = parse_strategy("a", {"steps": steps}, {})
    assert resources_of(strategy.steps[1], strategy) == ("diffusion", "sampling")


def test_views_are_drawn_and_only_those_that_are_needed(target):
    inputs = {"reservoir": target.reservoir, "train_per_class": 3}
    resources = prepare(inputs, ("originals",), SubsetDraw(0), list(target.class_names), CPU)
    assert set(resources) == {"originals"}
    assert len(resources["originals"]) == 30  # 3 of each of 10 classes
    both = prepare(inputs, ("originals", "held_back"), SubsetDraw(0), list(target.class_names), CPU)
    assert not {*both["originals"].column("image_id")} & {*both["held_back"].column("image_id")}


def test_models_come_to_the_device_and_sampling_is_checked(clip, device):
    resources = prepare({"clip": clip, "sampling": {"steps": 4}}, ("clip", "sampling"), None, [], CPU)
    assert resources["clip"].device == device
    assert resources["sampling"] == Sampling(steps=4)
