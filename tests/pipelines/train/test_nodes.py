import json

import pytest
import torch

from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.models.cost_meter import Cost
from retrieval_vs_diffusion.pipelines.evaluate.nodes import predict_test
from retrieval_vs_diffusion.pipelines.train.nodes import train_classifier
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

WORLD = {"steps": 6, "batch_size": 8, "validation_looks": 2}
COMPUTE = {"device": "cpu", "threads": 1}


@pytest.fixture
def trained(target):
    def run(overrides, clip=None, originals=1.0, added=None, added_per_original=None):
        about = ("share", ClassifierTraining(**overrides), None, 0, "training", SubsetDraw(0))
        world = (target.reservoir, [2] * 10, target.val, list(target.class_names), WORLD, COMPUTE)
        return train_classifier(*about, originals, added_per_original, *world, added, clip)

    return run


@pytest.mark.parametrize(("overrides", "steps"), [({}, [3, 6]), ({"steps": 4}, [2, 4])])
def test_a_strategys_own_settings_go_before_the_worlds(trained, overrides, steps):
    _, history, _ = trained(overrides)
    assert history["step"].tolist() == steps  # two looks, as the world has it


def test_a_linear_probe_is_fitted_and_tested_with_its_clip(trained, target, clip):
    classifier, history, record = trained({"features": "clip"}, clip)
    assert record["originals"] == 20  # two of each of ten classes
    assert (classifier.features, classifier.clip_name) == ("clip", clip.name)
    assert history["kept"].any()
    predictions = predict_test(classifier, target.test, COMPUTE, clip)
    assert predictions.columns.tolist() == ["image_id", "label", *target.class_names]
    assert predictions[list(target.class_names)].sum(axis=1).to_numpy() == pytest.approx(1.0, abs=1e-5)


def test_a_network_is_tested_without_clip(trained, target):
    classifier, _, _ = trained({})
    assert len(predict_test(classifier, target.test, COMPUTE)) == len(target.test)


def test_what_went_in_is_told(trained, target):
    _, _, record = trained({}, added=target.val)
    assert (record["originals"], record["added"]) == (20, 20)  # two of each of ten classes, and so of val
    assert Cost.from_dict(record["cost"]).seconds > 0
    assert json.loads(json.dumps(record)) == record


def test_a_variant_may_have_more_originals_and_the_first_of_the_added_images(trained, target):
    added = target.reservoir  # four of each class
    counts = [
        (record["originals"], record["added"])
        for record in (
            trained({}, originals=1.5)[2],  # 1.5 x 2 of each of ten classes
            trained({}, added=added, added_per_original=1.5)[2],
            trained({}, added=added, added_per_original=4.5)[2],  # more than there are
        )
    ]
    assert counts == [(30, 0), (20, 30), (20, 40)]


def test_a_classifier_that_is_given_the_first_images_alone_is_the_one_trained_on_those(trained, target):
    added = target.reservoir
    weights = [
        trained({}, added=images, added_per_original=times)[0].network.state_dict()
        for images, times in ((added, 0.5), (added.first_of_each_class(1), None), (added, None))
    ]
    assert same(weights[0], weights[1])
    assert not same(weights[0], weights[2])


def same(one, other) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one)
