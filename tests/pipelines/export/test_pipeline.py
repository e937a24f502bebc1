import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.pipelines import export
from retrieval_vs_diffusion.study import read_study


def study_of(**parameters):
    return read_study(
        {
            "world": "toy",
            "target": {"reader": {"type": "rendered_digits"}, "per_class": 4},
            "pool": {"reader": {"type": "rendered_digit_pool"}},
            "clip": {"model": "toy_clip"},
            "diffusion": {"path": "toy_diffusion"},
            "screening": {"leak_similarity": 0.93},
            "repetitions": {"number": 2},
            "strategies": {"nothing": None, "texts": {"retrieve": {"type": "by_text", "prompts": ["a {name}"]}}},
            **parameters,
        }
    )


def test_everything_up_to_the_classifier_of_one_repetition_is_part_of_it():
    pipeline = export.create_pipeline(study_of(strategy="texts", export={"repetition": 1}))
    free = {name for name in pipeline.inputs() if not name.startswith("params:")}
    assert free == {"clip", "pool.takedown", "pool.downloaded"}  # what a user brings, or another run; the rest is made
    assert pipeline.outputs() >= {"export.texts.readme"}
    made = {f"export.texts.{part}" for part in ("training_set", "classifier", "readme")}
    assert {name for name in pipeline.all_outputs() if name.startswith("export.")} == made
    trained = [node.name for node in pipeline.nodes if ".train_" in node.name]
    assert trained == ["texts.train_repetition_1"]  # neither the other repetition nor the other strategy


def test_the_classifier_and_the_added_images_are_those_of_the_repetition():
    pipeline = export.create_pipeline(study_of(strategy="texts", export={"repetition": 1}))
    inputs = {node.name: set(node.inputs) for node in pipeline.nodes if "export" in node.tags}
    assert "texts.repetition_1.added_images" in inputs["export_training_set"]
    assert inputs["export_classifier"] == {"texts.repetition_1.classifier"}
    assert "texts.repetition_1.history" in inputs["export_readme"]


def test_no_test_image_is_seen_but_by_the_screening():
    pipeline = export.create_pipeline(study_of(strategy="texts"))
    assert [node.name for node in pipeline.nodes if "target.test" in node.inputs] == ["fingerprint_protected_images"]
    assert not [node.name for node in pipeline.nodes if "evaluate" in node.tags]


def test_a_strategy_that_adds_nothing_takes_no_pool():
    pipeline = export.create_pipeline(study_of(strategy="nothing"))
    assert not [node for node in pipeline.nodes if "pool.images" in node.outputs]
    (gather,) = [node for node in pipeline.nodes if node.name == "export_training_set"]
    assert not [name for name in gather.inputs if "added" in name]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, r"strategy: say whose images and classifier to export, .*known are: nothing, texts"),
        ({"strategy": "text"}, r'strategy: there is no strategy "text"; did you mean "texts"\?'),
        (
            {"strategy": "texts", "export": {"repetition": 2}},
            r"export.repetition: found 2; there are 0 to 1 \(repetitions.number=2\)",
        ),
    ],
)
def test_what_cannot_be_exported_is_told_when_it_runs(parameters, message):
    (node,) = export.create_pipeline(study_of(**parameters)).nodes
    with pytest.raises(UserError, match=message):
        node.run({})


@pytest.mark.parametrize("name", ["export", "classify"])
def test_no_strategy_may_be_called_as_the_pipeline_or_the_command(name):
    with pytest.raises(UserError, match=f"{name} is the name of a pipeline"):
        study_of(strategies={name: None})
