import dataclasses
from typing import Annotated

import pytest
from pydantic import Field

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.parts import build_part, part

GENERATE = "retrieval_vs_diffusion.strategies.generate"
PERSONALISE = "retrieval_vs_diffusion.strategies.personalise"


@part
class Wheel:
    """A part that lives outside the package."""

    spokes: Annotated[int, Field(ge=3)]
    names: tuple[str, ...] = ()


class NoPart:
    """A class that is no part."""

    def __init__(self, spokes: int) -> None:
        self.spokes = spokes


def test_a_type_is_the_class_of_the_module_of_that_name():
    built = build_part(GENERATE, {"type": "image_to_image", "strength": 0.5}, "strategies.a.generate")
    assert type(built).__name__ == "ImageToImage"
    assert built.strength == 0.5


def test_a_dotted_type_is_a_class_from_outside_the_package():
    built = build_part(GENERATE, {"type": f"{__name__}.Wheel", "spokes": 8, "names": ["a", "b"]}, "here")
    assert built == Wheel(spokes=8, names=("a", "b"))


def test_one_template_may_stand_without_a_list():
    built = build_part(GENERATE, {"type": "text_to_image", "prompts": "openai_imagenet_templates"}, "here")
    assert built.prompts == ("openai_imagenet_templates",)


def test_a_part_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Wheel(spokes=3).spokes = 4


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"type": "text_to_imag"}, 'here.type: found "text_to_imag"; did you mean "text_to_image"?'),
        ({"type": "TextToImage"}, 'here.type: found "TextToImage"; did you mean "text_to_image"?'),
        ({}, "here.type: found None; known are: best_of, image_to_image, text_to_image"),
        ({"type": 3}, "here.type: found 3; known are: best_of, image_to_image, text_to_image"),
        ({"type": "image_to_image"}, "here.strength: is missing"),
        (
            {"type": "image_to_image", "strength": 2},
            "here.strength: found 2; input should be less than or equal to 1",
        ),
        ({"type": "text_to_image", "promts": []}, 'here.promts: there is no such key here; did you mean "prompts"?'),
        (
            {"type": "text_to_image", "sampling": {"step": 3}},
            'here.sampling.step: there is no such key here; did you mean "steps"?',
        ),
        ({"type": "text_to_image", "prompts": 3}, "here.prompts: found 3; input should be a valid tuple"),
        ({"type": "text_to_image", "prompts": ["a", 3]}, "here.prompts.1: found 3; input should be a valid string"),
        ({"type": "no.such.Part"}, "here.type: cannot take Part from no.such: No module named 'no'"),
    ],
)
def test_a_mistake_is_named_with_its_place_what_was_found_and_what_would_do(entry, message):
    with pytest.raises(UserError) as caught:
        build_part(GENERATE, entry, "here")
    assert str(caught.value) == message


@pytest.mark.parametrize(("package", "name"), [(GENERATE, "recipe"), (PERSONALISE, "learned")])
def test_a_module_that_holds_no_part_is_not_offered_as_one(package, name):
    with pytest.raises(UserError, match=rf'here.type: found "{name}"'):
        build_part(package, {"type": name}, "here")


def test_a_dotted_class_that_is_no_part_is_refused():
    with pytest.raises(UserError, match=r"here\.type"):
        build_part(GENERATE, {"type": f"{__name__}.NoPart", "spokes": 3}, "here")
