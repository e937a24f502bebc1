import pytest

from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.pipelines.evaluate.nodes import predict_test
from retrieval_vs_diffusion.pipelines.train.nodes import train_classifier
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

WORLD = {"steps": 6, "batch_size": 8, "validation_looks": 2}
COMPUTE = {"device": "cpu", "threads": 1}


@pytest.fixture
def trained(target):
    def run(overrides, clip=None):
        about = ("share", ClassifierTraining(**overrides), None, 0, "training", SubsetDraw(0))
        names = list(target.class_names)
        return train_classifier(*about, target.reservoir, 2, target.val, names, WORLD, COMPUTE, clip=clip)

    return run


@pytest.mark.parametrize(("overrides", "steps"), [({}, [3, 6]), ({"steps": 4}, [2, 4])])
def test_a_strategys_own_settings_go_before_the_worlds(trained, overrides, steps):
    _, history = trained(overrides)
    assert history["step"].tolist() == steps  # two looks, as the world has it


def test_a_linear_probe_is_fitted_and_tested_with_its_clip(trained, target, clip):
    classifier, history = trained({"features": "clip"}, clip)
    assert (classifier.features, classifier.clip_name) == ("clip", clip.name)
    assert history["kept"].any()
    predictions = predict_test(classifier, target.test, COMPUTE, clip)
    assert predictions.columns.tolist() == ["image_id", "label", *target.class_names]
    assert predictions[list(target.class_names)].sum(axis=1).to_numpy() == pytest.approx(1.0, abs=1e-5)


def test_a_network_is_tested_without_clip(trained, target):
    classifier, _ = trained({})
    assert len(predict_test(classifier, target.test, COMPUTE)) == len(target.test)
