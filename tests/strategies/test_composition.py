import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies.composition import parse_strategy

PERSONALISATIONS = {"textual_inversion": object()}
PROMPTS = {"generate": {"type": "text_to_image"}}
BY_TEXT = {"retrieve": {"type": "by_text"}}
HELD_BACK = {"reuse": {"type": "held_back"}}
RESTYLE = {"generate": {"type": "image_to_image", "start_from": "previous_step", "strength": 0.5}}
RESTYLE_THE_BEST = {"generate": {"type": "best_of", "generator": RESTYLE["generate"]}}


@part
class Silent:
    """A part from outside that brings nothing."""

    @property
    def needs(self):
        return ()


@part
class Greedy:
    """A part from outside that needs what there is not."""

    @property
    def needs(self):
        return ("pool", "internet")

    def propose(self, wanted, first, surroundings):
        yield from ()


def parse(specification):
    return parse_strategy("a", specification, PERSONALISATIONS)


def test_an_entry_without_content_adds_nothing():
    for nothing in (None, {}, {"description": "the baseline"}):
        strategy = parse(nothing)
        assert (strategy.steps, strategy.adds_images, strategy.arm, strategy.mix) == ((), False, "neither", "share")


def test_a_single_step_may_stand_under_its_kind():
    assert parse(PROMPTS).steps == parse({"steps": [PROMPTS]}).steps


@pytest.mark.parametrize(
    ("steps", "arm"),
    [
        ([PROMPTS], "generate"),
        ([BY_TEXT], "retrieve"),
        ([HELD_BACK], "neither"),
        ([BY_TEXT, HELD_BACK], "retrieve"),
        ([BY_TEXT, PROMPTS], "both"),
    ],
)
def test_the_arm_is_what_the_steps_do(steps, arm):
    assert parse({"steps": steps}).arm == arm


def test_steps_keep_their_order_and_their_fields():
    retrieve, generate = parse(
        {"steps": [BY_TEXT, {"generate": {"type": "image_to_image", "strength": 0.5}}], "mix": "union"}
    ).steps
    assert (retrieve.kind, generate.kind) == ("retrieve", "generate")
    assert generate.source.strength == 0.5


def test_the_two_compositions_of_the_study_are_steps_of_known_parts():
    fill_up = parse({"steps": [BY_TEXT, PROMPTS]})
    restyle = parse({"personalise": "textual_inversion", "steps": [BY_TEXT, RESTYLE]})
    assert [type(step.source).__name__ for step in fill_up.steps] == ["ByText", "TextToImage"]
    assert [type(step.source).__name__ for step in restyle.steps] == ["ByText", "ImageToImage"]
    assert fill_up.arm == restyle.arm == "both"


@pytest.mark.parametrize("first", [RESTYLE, RESTYLE_THE_BEST])
def test_a_first_step_has_no_previous_step_to_start_from(first):
    assert len(parse({"steps": [BY_TEXT, first]}).steps) == 2
    for specification in (first, {"steps": [first]}, {"steps": [first, BY_TEXT]}):
        with pytest.raises(UserError, match=r"^strategies\.a: found a first step that starts from the previous step"):
            parse(specification)


def test_a_personalisation_is_taken_by_name():
    strategy = parse({"personalise": "textual_inversion", **PROMPTS, "added_per_original": 2})
    assert (strategy.personalise, strategy.added_per_original) == ("textual_inversion", 2.0)


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ({**PROMPTS, **BY_TEXT}, "strategies.a: found generate and retrieve; write several sources under steps"),
        ({**PROMPTS, "steps": [BY_TEXT]}, "strategies.a: found steps and generate; write everything under steps"),
        (
            {"steps": [{**PROMPTS, **BY_TEXT}]},
            "strategies.a.steps[0]: found ['generate', 'retrieve']; a step is one of",
        ),
        ({"steps": [BY_TEXT, {"train": {}}]}, "strategies.a.steps[1]: found ['train']; a step is one of generate, ret"),
        ({"steps": [BY_TEXT, {"generate": {}}]}, "strategies.a.steps[1].generate.type: found None"),
        ({"retrieve": {"type": "by_txt"}}, 'strategies.a.retrieve.type: found "by_txt"; did you mean "by_text"?'),
        (
            {"personalise": "textual_inversio", **PROMPTS},
            'strategies.a.personalise: found "textual_inversio"; did you mean "textual_inversion"?',
        ),
        (
            {"personalise": "textual_inversion", **BY_TEXT},
            "strategies.a.personalise: found textual_inversion, but no generate step that would use it",
        ),
        ({"mix": "blend"}, "strategies.a.mix: found 'blend'; input should be 'share' or 'union'"),
        ({"added_per_original": 0}, "strategies.a.added_per_original: found 0; input should be greater than 0"),
        ({"generates": {}}, "strategies.a.generates: there is no such key here"),
        (
            {"retrieve": {"type": f"{__name__}.Silent"}},
            f"strategies.a.retrieve.type: {__name__}.Silent has no `propose`, so it can bring no images",
        ),
        (
            {"steps": [BY_TEXT, {"generate": {"type": f"{__name__}.Greedy"}}]},
            'strategies.a.steps[1].generate.type: a part needs "internet"; resources are clip, diffusion, pool',
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(specification, message):
    with pytest.raises(UserError) as caught:
        parse(specification)
    assert str(caught.value).startswith(message)
