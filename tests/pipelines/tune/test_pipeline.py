import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.pipelines import tune
from tests.test_trials import study_of

RATE = "personalise.training.learning_rate"


@pytest.fixture(scope="module")
def pipeline():
    return tune.create_pipeline(study_of({"words": [{RATE: 0.1}, {RATE: 0.2}], "guided": [{}, {"mix": "union"}]}))


def test_every_trial_is_trained_in_every_repetition_and_weighed(pipeline):
    trained = {node.namespace for node in pipeline.nodes if ".train_" in node.name}
    assert trained == {"words__trial_0", "words__trial_1", "guided__trial_0", "guided__trial_1"}
    (weigh,) = [node for node in pipeline.nodes if node.name == "weigh_trials"]
    assert len(weigh.inputs) == 4 * 2  # trials, repetitions
    assert set(weigh.outputs) == {"tuning.trials", "tuning.chosen"} <= pipeline.outputs()


def test_settings_that_the_trials_share_are_learned_once(pipeline):
    learned = [node for node in pipeline.nodes if node.namespace == "personalise" and "collect" not in node.name]
    assert len(learned) == 2 * 2  # two rates, two repetitions


def test_no_trial_sees_a_test_image(pipeline):
    """But for the screening, which knows test images by their fingerprints and refuses copies of them."""
    readers = [node.name for node in pipeline.nodes if "target.test" in node.inputs]
    assert readers == ["fingerprint_protected_images"]
    assert not [node.name for node in pipeline.nodes if "evaluate" in node.tags]
    without = pipeline - pipeline.only_nodes("fingerprint_protected_images")
    assert "target.test" not in without.inputs()


@pytest.mark.parametrize(
    ("trials", "message"), [({"promts": [{}]}, "there is no strategy"), ({"prompts": []}, "none is for original_only")]
)
def test_what_does_not_fit_is_told_when_it_runs_and_not_to_those_who_tune_nothing(trials, message):
    (node,) = tune.create_pipeline(study_of(trials)).nodes
    with pytest.raises(UserError, match=message):
        node.run({})
