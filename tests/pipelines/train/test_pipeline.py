import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.digest import digest_of_code
from retrieval_vs_diffusion.pipelines import evaluate, train
from retrieval_vs_diffusion.study import read_study


def study_with(classifier=None, compute=None, **of_strategies):
    """A study of one repetition whose strategies add nothing and have these classifiers of their own."""
    return read_study(
        {
            "world": "toy",
            "target": {"reader": {"type": "rendered_digits"}, "per_class": 4},
            "pool": {"reader": {"type": "rendered_digit_pool"}},
            "clip": {"model": "toy_clip"},
            "diffusion": {"path": "toy_diffusion"},
            "screening": {"leak_similarity": 0.93},
            "repetitions": {"number": 1},
            "classifier": classifier or {},
            "compute": compute or {},
            "strategies": {name: {"classifier": settings} for name, settings in of_strategies.items()},
        }
    )


def train_nodes(study):
    return {str(node.namespace): node for node in train.create_pipeline(study).nodes}


def fingerprints(study):
    return {name: digest_of_code(node.func) for name, node in train_nodes(study).items()}


def test_an_override_makes_the_node_of_its_strategy_another_and_no_other():
    before = fingerprints(study_with(a={"steps": 10}, b={}))
    after = fingerprints(study_with(a={"steps": 20}, b={}))
    assert before["a"] != after["a"]
    assert before["b"] == after["b"]


def test_the_number_of_processes_counts_where_networks_are_trained_and_not_for_a_probe():
    rows = {"network": {}, "probe": {"features": "clip"}}
    one, same, two = (
        fingerprints(study_with(compute=given, **rows)) for given in ({}, {"processes": 1}, {"processes": 2})
    )
    assert one == same
    assert one["network"] != two["network"]  # the last bits are others, as with another number of threads
    assert one["probe"] == two["probe"]


def test_all_strategies_of_a_repetition_share_initialisation_and_batch_order():
    nodes = train_nodes(study_with(a={"cutmix": 0.5}, b={}))
    seeds = {node.func.args[3] for node in nodes.values()}
    assert len(seeds) == 1


@pytest.mark.parametrize(
    ("world", "own", "expected"),
    [
        ("pixels", {}, False),
        ("pixels", {"features": "clip"}, True),
        ("clip", {}, True),
        ("clip", {"features": "pixels"}, False),
    ],
)
def test_clip_goes_to_the_steps_of_a_linear_probe_and_to_no_others(world, own, expected):
    study = study_with({"features": world}, a=own)
    predict = next(node for node in evaluate.create_pipeline(study).nodes if "predict_test" in node.name)
    for node in (train_nodes(study)["a"], predict):
        assert ("clip" in node.inputs) == expected
        assert ("gpu" in node.tags) == expected


def test_a_file_to_start_from_with_other_content_is_trained_from_anew(tmp_path):
    path = tmp_path / "start.safetensors"
    path.write_bytes(b"one")
    study = study_with(a={"init": str(path)}, b={})
    before = fingerprints(study)
    path.write_bytes(b"two")
    after = fingerprints(study)
    assert before["a"] != after["a"]
    assert before["b"] == after["b"]


@pytest.mark.parametrize(
    ("classifier", "own", "expected"),
    [
        ({"init": "no.safetensors"}, {}, r"^classifier\.init: there is no file no\.safetensors; "),
        ({}, {"init": "no.safetensors"}, r"^strategies\.a\.classifier\.init: there is no file no\.safetensors; "),
        ({"model": "resnt18"}, {}, r'^classifier\.model: timm has no "resnt18"; did you mean "resnet18"\?'),
        ({}, {"model": "resnt18"}, r'^strategies\.a\.classifier\.model: timm has no "resnt18"; did you mean'),
    ],
)
def test_what_cannot_be_trained_is_told_when_the_pipeline_is_built(classifier, own, expected):
    with pytest.raises(UserError, match=expected):
        train.create_pipeline(study_with(classifier, a=own))


@pytest.mark.parametrize("own", [{"init": "scratch", "model": "resnet18"}, {"features": "clip"}])
def test_what_no_strategy_uses_is_not_asked_for(own):
    train.create_pipeline(study_with({"init": "no.safetensors", "model": "resnt18"}, a=own))
