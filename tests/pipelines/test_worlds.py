"""The pipelines of worlds that lack something: no pool, no diffusion model, no judge, nothing held back."""

import pytest
from kedro.pipeline import Pipeline

from retrieval_vs_diffusion.images.screening import fingerprint
from retrieval_vs_diffusion.pipeline_registry import whole_study
from retrieval_vs_diffusion.pipelines.data_ingest.nodes import count_originals
from retrieval_vs_diffusion.pipelines.evaluate.comparing import check_screening
from retrieval_vs_diffusion.pipelines.evaluate.report_settings import report_settings
from retrieval_vs_diffusion.study import Study, read_study
from tests.test_study import parameters

STRATEGIES = {
    "original_only": None,
    "real": {"reuse": {"type": "held_back"}},
    "prompts": {"generate": {"type": "text_to_image"}},
    "text": {"retrieve": {"type": "by_text"}},
}
JUDGE = {"judge": {"path": "judge.safetensors"}}
NO_POOL = {"pool": {"reader": {"type": "captioned_images", "path": None}}}


def study_of(**changes) -> Study:
    usual = {"strategies": STRATEGIES, "repetitions": {"number": 1}, "size_curve": {"times_originals": [2]}}
    return read_study(parameters(**{**usual, **JUDGE, **changes}))


def names(pipeline: Pipeline) -> set[str]:
    return {node.name for node in pipeline.nodes}


def brought(pipeline: Pipeline) -> set[str]:
    """What no step makes: models, and what a user or another run leaves behind."""
    return {name for name in pipeline.inputs() if not name.startswith("params:")}


def test_a_world_that_has_everything_starts_from_its_models_and_readers():
    whole = whole_study(study_of())
    assert brought(whole) == {"clip", "diffusion", "judge", "pool.takedown", "pool.downloaded", "added_images.table"}
    assert {"read_target", "count_originals", "read_pool", "build_index", "check_index"} <= names(whole)


def test_without_a_pool_nothing_of_it_is_read_made_or_compared_with():
    study = study_of(**NO_POOL)
    whole = whole_study(study)
    assert not [name for name in whole.datasets() if name.startswith(("pool.", "params:pool", "text."))]
    assert brought(whole) == {"clip", "diffusion", "judge", "added_images.table"}
    assert {"embed_val", "prompts.generate_repetition_0", "comparison.check_screening"} <= names(whole)
    (told,) = report_settings(study)["left_out"]
    assert told == "left out for want of a pool (pool.path): text"
    assert set(report_settings(study)["strategies"]) == {"original_only", "real", "prompts"}


def test_without_a_diffusion_model_or_a_judge_none_is_asked_for():
    assert "diffusion" not in whole_study(study_of(diffusion={})).inputs()
    without_judge = whole_study(study_of(judge={}))
    assert not [name for name in without_judge.datasets() if "judge" in name]
    assert "comparison.check_judge" in names(whole_study(study_of()))


def test_where_nothing_is_held_back_neither_the_row_nor_the_curve_asks_for_it():
    whole = whole_study(study_of(target={"reader": {"type": "rendered_digits"}, "per_class": "all"}))
    assert not [name for name in whole.datasets() if name.startswith(("real.", "size_curve.times"))]
    assert "original_only.train_repetition_0" in names(whole)


def test_all_that_draws_or_adds_is_told_how_many_originals_there_are():
    whole = whole_study(study_of())
    told = {node.name for node in whole.nodes if "target.originals_per_class" in node.inputs}
    drawing = {name for name in names(whole) if any(each in name for each in (".train_", ".generate_", ".retrieve_"))}
    assert told >= drawing | {"comparison.compare_strategies"}
    assert [node.name for node in whole.nodes if "target.originals_per_class" in node.outputs] == ["count_originals"]


@pytest.mark.parametrize("per_class", [3, 0.5, "all"])
def test_originals_are_counted_in_the_reservoir(target, per_class):
    counted = count_originals(per_class, target.reservoir, list(target.class_names))
    assert counted == [{3: 3, 0.5: 2, "all": 4}[per_class]] * 10  # of 4


def test_without_a_pool_the_screening_cannot_be_checked(target, pool):
    protected = fingerprint(target.val, target.test)
    settings = {"leak_similarity": 0.93}
    nothing = check_screening(protected, settings)
    assert nothing == {"planted": 0, "found": None, "recall": None, "others": None, "false_alarms": None}
    assert check_screening(protected, settings, pool)["planted"] == 10
