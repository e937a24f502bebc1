import copy

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.study import read_study
from retrieval_vs_diffusion.trials import trials_of
from tests.test_study import parameters

WORDS = {"type": "textual_inversion", "vectors": 1, "training": {"steps": 4}}
STRATEGIES = {
    "original_only": None,
    "prompts": {"generate": {"type": "text_to_image"}},
    "guided": {"generate": {"type": "text_to_image", "sampling": {"guidance_scale": 3.0}}},
    "words": {"personalise": "inversion", "generate": {"type": "text_to_image"}},
    "more_words": {"personalise": "inversion", "generate": {"type": "image_to_image", "strength": 0.5}},
    "both": {
        "steps": [
            {"retrieve": {"type": "by_text", "similarity_floor": 0.5}},
            {"generate": {"type": "text_to_image"}},
        ]
    },
}


def study_of(trials: dict, **changes):
    tuned = {"repetitions": 2, "trials": trials}
    inversion = {"inversion": WORDS, "slow": {**WORDS, "training": {"steps": 9}}}
    return read_study(parameters(**{"strategies": STRATEGIES, "personalisations": inversion, "tune": tuned, **changes}))


def test_each_trial_is_a_strategy_with_its_settings_and_all_else_as_it_was():
    study = study_of({"prompts": [{}, {"generate.sampling.guidance_scale": 7.5}], "guided": [{}, {"mix": "union"}]})
    tried, trials = trials_of(study)
    assert [trial.name for trial in trials] == [
        "prompts__trial_0",
        "prompts__trial_1",
        *("guided__trial_0", "guided__trial_1"),
    ]
    assert list(tried.strategies) == [trial.name for trial in trials]
    scales = [tried.strategies[name].steps[0].source.sampling.guidance_scale for name in tried.strategies]
    assert scales[1:] == [7.5, 3.0, 3.0]
    assert tried.strategies["prompts__trial_0"].steps == study.strategies["prompts"].steps  # nothing is changed
    assert tried.strategies["guided__trial_1"].mix == "union"
    assert len(tried.repetitions) == 2  # the study itself has five
    assert tried.chosen == list(tried.strategies)


def test_the_study_that_is_tuned_stays_as_it_is():
    study = study_of({"guided": [{"generate.sampling.guidance_scale": 9.0, "generate.prompts": ["a"]}]})
    before = copy.deepcopy(study.parameters.model_dump())
    trials_of(study)
    assert study.parameters.model_dump() == before


def test_a_place_may_lie_in_a_list_of_steps():
    tried, _ = trials_of(
        study_of({"both": [{"steps.0.retrieve.similarity_floor": 0.7, "steps.1.generate.prompts": "a"}]})
    )
    retrieve, generate = tried.strategies["both__trial_0"].steps
    assert (retrieve.source.similarity_floor, generate.source.prompts) == (0.7, ("a",))


def test_a_value_that_several_trials_share_is_each_ones_own():
    shared = {"guidance_scale": 2.0}
    settings = [{"generate.sampling": shared, "generate.sampling.steps": 7}, {"generate.sampling": shared}]
    tried, _ = trials_of(study_of({"prompts": settings}))
    steps = [tried.strategies[name].steps[0].source.sampling for name in tried.strategies]
    assert [each.model_dump(exclude_unset=True) for each in steps] == [{"guidance_scale": 2.0, "steps": 7}, shared]


def test_settings_of_a_personalisation_make_one_of_their_own():
    rate = "personalise.training.learning_rate"
    tried, _ = trials_of(study_of({"words": [{rate: 0.1}, {rate: 0.2}], "more_words": [{rate: 0.1}, {}]}))
    used = [tried.strategies[name].personalise for name in tried.strategies]
    learned = {name: tried.personalisations[name] for name in used}
    assert [learned[name].training.learning_rate for name in used[:3]] == [0.1, 0.2, 0.1]
    assert all(each.training.steps == 4 for each in learned.values())  # what is not changed stays
    assert used[0] == used[2]  # the same settings are learned once and shared
    assert len(set(used)) == 3
    assert all(name.startswith("inversion__") for name in used)
    assert set(tried.personalisations) == set(used)  # what no trial uses is not learned


def test_another_personalisation_can_be_tried_too():
    tried, _ = trials_of(
        study_of({"words": [{}, {"personalise": "slow"}, {"personalise.vectors": 2, "personalise": "slow"}]})
    )
    tried_with = [tried.personalisations[strategy.personalise] for strategy in tried.strategies.values()]
    assert [(each.training.steps, each.vectors) for each in tried_with] == [(4, 1), (9, 1), (9, 2)]


def test_a_strategy_that_only_leaves_out_is_not_tried():
    _, trials = trials_of(study_of({"prompts": [{}], "guided": [{}]}, only="guided+original_only"))
    assert [trial.strategy for trial in trials] == ["guided"]


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        ({"promts": [{}]}, 'tune.trials: there is no strategy "promts"; did you mean "prompts"?'),
        (
            {"prompts": [{}, {}], "guided": [{}]},
            "tune.trials: guided has 1 trials and prompts 2; every strategy gets as",
        ),
        (
            {"prompts": [{"personalise.vectors": 2}]},
            "tune.trials.prompts: personalise.vectors: the strategy names no pers",
        ),
        (
            {"words": [{"personalise": "invertion"}]},
            'tune.trials.words: there is no personalisation "invertion"; did you',
        ),
        (
            {"both": [{"steps.2.retrieve.type": "by_image"}]},
            "tune.trials.both: steps.2.retrieve.type: there is no 2 in a l",
        ),
        (
            {"both": [{"steps.first.retrieve": {}}]},
            "tune.trials.both: steps.first.retrieve: there is no first in a list of 2",
        ),
        ({"both": [{"steps.2": {}}]}, "tune.trials.both: steps.2: there is no 2 in a list of 2"),
        ({"both": [{"steps.last": {}}]}, "tune.trials.both: steps.last: there is no last in a list of 2"),
        (
            {"guided": [{"generate.type.name": 1}]},
            "tune.trials.guided: generate.type.name: type is a value, nothing is",
        ),
        (
            {"guided": [{"generate.strength": 1}]},
            "strategies.guided__trial_0.generate.strength: there is no such key here",
        ),
        ({"words": [{"personalise.vectors": 0}]}, "personalisations.inversion__"),
        (
            {"original_only": [{}], "prompts": [{"generate.sampling.guidance_scale": "x"}]},
            "strategies.prompts__trial_0.gen",
        ),
        ({}, "tune.trials: none is for original_only or prompts or"),
        ({"prompts": [], "guided": []}, "tune.trials: none is for original_only or prompts or"),
    ],
)
def test_what_does_not_fit_is_named(trials, message):
    with pytest.raises(UserError) as caught:
        trials_of(study_of(trials))
    assert str(caught.value).startswith(message)


def test_a_world_without_trials_says_where_to_write_them():
    with pytest.raises(UserError, match=r"tune: this world names no trials; write them under tune\.trials"):
        trials_of(read_study(parameters()))
