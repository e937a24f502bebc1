import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution import digest as module
from retrieval_vs_diffusion.execution.digest import digest
from retrieval_vs_diffusion.parts import build_part
from retrieval_vs_diffusion.strategies.composition import parse_strategy

PROMPTS = {"type": "text_to_image", "prompts": ["a {name}, {definition}"]}

BY_ITS_DOTTED_NAME = "retrieval_vs_diffusion.strategies.generate.best_of.BestOf"


def best_of(**fields):
    return build_part("retrieval_vs_diffusion.strategies.generate", {"type": "best_of", **fields}, "here")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "here.generator: is missing"),
        ({"generator": 3}, "here.generator: found 3; the entry of another generator will do"),
        ({"generator": {"type": "best_of"}}, "here.generator: found {'type': 'best_of'}; the entry of another"),
        ({"generator": {"type": "text_to_imag"}}, 'here.generator.type: found "text_to_imag"; did you mean'),
        ({"generator": {**PROMPTS, "prompts": "{x}"}}, 'here.generator.prompts: found "{x}"; what can be filled in'),
        ({"generator": PROMPTS, "score": 4}, "here.score: found 4; fields of by_text_and_image will do"),
        ({"generator": PROMPTS, "score": {"promts": "a"}}, "here.score.promts: there is no such key here; did you"),
        ({"generator": PROMPTS, "score": {"similarity_floor": 0.5}}, "here.score.similarity_floor: has no effect on"),
        ({"generator": {**PROMPTS, "sampling": {"steps": 0}}}, "here.generator.sampling.steps: found 0; "),
        ({"generator": {"type": "image_to_image"}}, "here.generator.strength: is missing"),
        ({"generator": PROMPTS, "candidates_per_image": 1}, "here.candidates_per_image: found 1; "),
        ({"generator": {"type": BY_ITS_DOTTED_NAME, "generator": PROMPTS}}, "here.generator: found {'type': 'retr"),
    ],
)
def test_a_mistake_in_either_part_is_told_when_the_parameters_are_read(fields, message):
    with pytest.raises(UserError) as caught:
        best_of(**fields)
    assert str(caught.value).startswith(message)


def test_a_strategy_names_the_place_of_a_mistake_in_the_inner_generator():
    entry = {"type": "best_of", "generator": {**PROMPTS, "sampling": {"steps": "many"}}}
    with pytest.raises(UserError) as caught:
        parse_strategy("x", {"generate": entry}, {})
    assert str(caught.value).startswith("strategies.x.generate.generator.sampling.steps: found 'many'; ")


def test_it_needs_what_its_parts_need():
    part = best_of(generator=PROMPTS, score={"prompts": ["on {background}"]})
    assert part.needs == ("diffusion", "sampling", "clip", "originals")
    assert part.class_fields == ("name", "definition", "background")
    assert not part.consumes_previous
    restyle = {"type": "image_to_image", "start_from": "previous_step", "strength": 0.5}
    assert best_of(generator=restyle).consumes_previous


@pytest.mark.parametrize("changed", ["strategies.generate.text_to_image", "strategies.retrieve.by_text_and_image"])
def test_the_code_of_its_parts_counts_in_the_fingerprint(monkeypatch, changed):
    part = best_of(generator=PROMPTS)
    before, real = digest(part), module.digest_of_module
    monkeypatch.setattr(module, "digest_of_module", lambda name: "changed" if name.endswith(changed) else real(name))
    assert digest(part) != before
