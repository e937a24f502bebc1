import pytest

from retrieval_vs_diffusion.strategies.composition import Variant
from retrieval_vs_diffusion.study import read_study
from retrieval_vs_diffusion.variants import added_images, leak_comparison, protocol_of, size_curve
from tests.test_study import parameters

STRATEGIES = {
    "original_only": {"classifier": {"added_share": 0.25}},
    "text": {"retrieve": {"type": "by_text"}, "classifier": {"cutmix": 0.5}},
    "prompts": {"generate": {"type": "text_to_image"}, "added_per_original": 1.5},
    "both": {"steps": [{"retrieve": {"type": "by_text"}}, {"generate": {"type": "text_to_image"}}]},
    "real": {"reuse": {"type": "held_back"}},
}


def study_of(**changes):
    return read_study(parameters(**{"strategies": STRATEGIES, "added_per_original": 3, **changes}))


# ---- the size curve


def test_the_curve_is_the_baseline_at_other_sizes_and_nothing_else():
    study = study_of(size_curve={"times_originals": [0.5, 1, 2]})
    varied = size_curve(study)
    baseline = study.strategies["original_only"]
    assert list(varied.strategies) == ["size_curve.times_0_5", "size_curve.times_2"]  # 1 is the baseline itself
    for strategy, times in zip(varied.strategies.values(), (0.5, 2.0), strict=True):
        assert strategy.variant == Variant("original_only", originals=times)
        assert strategy.seeded_as == "original_only"
        assert not strategy.adds_images
        assert (strategy.classifier, strategy.mix) == (baseline.classifier, baseline.mix)


def test_a_curve_is_of_the_studys_own_repetitions_and_draws():
    study = study_of(repetitions={"number": 3, "redraw": ["classifier"]}, only="text")
    varied = size_curve(study)
    assert list(varied.repetitions) == list(study.repetitions)
    assert varied.subset_of("repetition_1") == study.subset_of("repetition_1")
    assert varied.chosen == list(varied.strategies)  # whatever rows are chosen


def test_without_a_size_or_a_baseline_there_is_no_curve():
    assert size_curve(study_of(size_curve={"times_originals": []})).strategies == {}
    assert size_curve(study_of(size_curve={"times_originals": [1]})).strategies == {}
    assert size_curve(study_of(strategies={"text": STRATEGIES["text"]})).strategies == {}


# ---- leaks let through


@pytest.mark.parametrize(
    ("arms", "varied"),
    [(["retrieve", "both"], ["text", "both"]), (["generate"], ["prompts"]), ([], [])],
)
def test_rows_of_the_arms_that_are_asked_for_are_varied(arms, varied):
    study = study_of(leak_comparison={"arms": arms})
    made = {name: leak_comparison(study, name).strategies for name in study.strategies}
    assert [name for name, strategies in made.items() if strategies] == varied
    for name in varied:
        (strategy,) = made[name].values()
        assert strategy.name == f"leak_comparison.{name}"
        assert strategy.variant == Variant(name, lets_leaks_through=True)
        assert strategy.steps == study.strategies[name].steps
        assert (strategy.seeded_as, strategy.classifier) == (name, study.strategies[name].classifier)


def test_no_row_of_the_study_and_no_other_comparison_lets_leaks_through():
    study = study_of(leak_comparison={"arms": ["retrieve", "generate", "both"]})
    for name in study.strategies:
        leak_comparison(study, name)
    assert [strategy.variant for strategy in study.strategies.values()] == [None] * 5  # as they were
    others = [*size_curve(study).strategies.values(), *added_images(study, "text")[0].strategies.values()]
    assert not [each.name for each in others if each.variant.lets_leaks_through]


# ---- how many are added, and how they are mixed in

ASKED = {"times_originals": [2, 0.5, 6], "added_shares": [0.5, 0.75], "repetitions": 2}


def test_numbers_are_varied_at_the_usual_share_and_shares_at_the_usual_number():
    _, varied = added_images(study_of(added_images=ASKED), "text")
    assert [(each["times_originals"], each["added_share"]) for each in varied] == [
        *((0.5, 0.5), (2, 0.5), (3, 0.5), (6, 0.5)),  # 3 and 0.5 are what the row itself has
        (3, 0.75),
    ]
    assert {each["strategy"] for each in varied} == {"text"}
    assert varied[0]["variant"] == "added_images.text__times_0_5_share_0_5"


def test_a_row_that_draws_from_all_images_alike_has_no_share_to_vary():
    strategies = {"prompts": {**STRATEGIES["prompts"], "mix": "union"}}
    _, varied = added_images(study_of(strategies=strategies, added_images=ASKED), "prompts")
    assert [(each["times_originals"], each["added_share"]) for each in varied] == [
        *((0.5, None), (1.5, None), (2, None), (6, None)),
    ]


def test_what_is_usual_is_the_rows_own_where_it_has_some():
    strategies = {"prompts": {**STRATEGIES["prompts"], "classifier": {"added_share": 0.25}}}
    _, varied = added_images(study_of(strategies=strategies, added_images=ASKED), "prompts")
    assert [(each["times_originals"], each["added_share"]) for each in varied] == [
        *((0.5, 0.25), (1.5, 0.25), (2, 0.25), (6, 0.25)),
        *((1.5, 0.5), (1.5, 0.75)),
    ]


def test_the_largest_set_is_brought_once_and_all_variants_train_on_its_first_images():
    study = study_of(added_images=ASKED)
    made, varied = added_images(study, "text")
    source, *variants = made.strategies.values()
    assert source.name == "added_images.text__all"
    assert made.added_per_original(source) == 6
    assert source.variant == Variant("text")  # with the seeds of the row
    assert [each.name for each in variants] == [each["variant"] for each in varied]
    assert {each.variant.images_of for each in variants} == {source.name}
    assert [each.variant.added_per_original for each in variants] == [0.5, 2, 3, 6, 3]


def test_the_rows_own_number_is_the_largest_where_no_larger_one_is_asked_for():
    made, varied = added_images(study_of(added_images={**ASKED, "times_originals": []}), "text")
    assert made.added_per_original(next(iter(made.strategies.values()))) == 3
    assert [each["times_originals"] for each in varied] == [3, 3]


def test_only_the_share_of_the_classifiers_recipe_is_changed():
    study = study_of(added_images=ASKED, classifier={"steps": 7})
    made, varied = added_images(study, "text")
    for each in varied:
        own = made.strategies[each["variant"]].classifier
        recipe = study.parameters.classifier.overridden_by(own)
        assert (recipe.added_share, recipe.cutmix, recipe.steps) == (each["added_share"], 0.5, 7)


def test_it_has_repetitions_of_its_own_and_the_studys_stay_as_they_are():
    study = study_of(added_images=ASKED, only="prompts")
    made, _ = added_images(study, "text")
    assert (len(made.repetitions), len(study.repetitions)) == (2, 5)
    assert made.chosen == list(made.strategies)
    assert study.chosen == ["prompts"]


# ---- what a table of added images was made with


def test_a_protocol_changes_with_what_the_rows_figures_depend_on():
    before = protocol_of(study_of(), "text")
    assert protocol_of(study_of(), "text") == before
    assert protocol_of(study_of(), "prompts") != before
    more = {**STRATEGIES, "text": {"retrieve": {"type": "by_text", "similarity_floor": 0.5}}}
    for change in (
        {"strategies": more},
        {"classifier": {"steps": 3}},
        {"screening": {"leak_similarity": 0.5}},
        {"sampling": {"steps": 3}},
        {"world": "other"},
        {"added_per_original": 2},
    ):
        assert protocol_of(study_of(**change), "text") != before, change


def test_a_protocol_does_not_change_with_what_other_rows_or_machines_do():
    before = protocol_of(study_of(), "text")
    for change in (
        {"strategies": {**STRATEGIES, "prompts": None}},
        {"compute": {"device": "cpu"}},
        {"workers": 3},
        {"only": "prompts"},
        {"price": {"per_hour": 7}},
    ):
        assert protocol_of(study_of(**change), "text") == before, change


def test_a_protocol_changes_with_the_personalisation_that_the_row_names_and_no_other():
    words = {"type": "textual_inversion"}
    strategies = {"words": {"personalise": "words", "generate": {"type": "text_to_image"}}}

    def protocol(**personalisations):
        study = study_of(strategies=strategies, personalisations=personalisations)
        return protocol_of(study, "words")

    before = protocol(words=words)
    assert protocol(words=words, others={**words, "vectors": 2}) == before
    assert protocol(words={**words, "vectors": 2}) != before
