"""The table of changes: what each one makes again, no more and no less."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.project.conftest import PLAIN

COMPARISON = {"comparison.compare_strategies", "comparison.write_report"}


def of(strategy: str, *steps: str) -> set[str]:
    """A strategy's steps of both repetitions, and what collects them."""
    each = {f"{strategy}.{step}_repetition_{repetition}" for step in steps for repetition in (0, 1)}
    return each | {f"{strategy}.collect_results"}


def training(*strategies: str) -> set[str]:
    """Training and what follows it."""
    return set().union(*(of(strategy, "train", "predict_test") for strategy in strategies))


def test_nothing_changed_nothing_stale(finished):
    assert finished.stale() == finished.stale(only="all") == set()


def test_a_recipe_makes_all_classifiers_again_and_no_image(finished):
    assert finished.stale(classifier={"steps": 21}) == training(*PLAIN) | COMPARISON


def test_a_strategys_parameter_makes_that_strategy_again(finished):
    changed = {"boomerang": {"generate": {"strength": 0.3}}}
    made = of("boomerang", "generate", "measure_set", "train", "predict_test")
    assert finished.stale(strategies=changed) == made | COMPARISON


def test_a_personalisation_makes_its_strategies_again(finished):
    learned = {f"personalise.textual_inversion_repetition_{repetition}" for repetition in (0, 1)}
    made = of("textual_inversion", "generate", "measure_set", "train", "predict_test")
    stale = finished.stale(personalisations={"textual_inversion": {"training": {"steps": 5}}})
    assert stale == learned | {"personalise.collect_textual_inversion"} | made | COMPARISON


def test_the_mark_for_low_agreement_makes_the_comparison_again(finished):
    assert finished.stale(low_label_agreement=0.6) == COMPARISON


def test_more_repetitions_make_the_new_ones_alone(finished):
    stale = finished.stale(repetitions={"number": 3})
    steps = {name for name in stale if "repetition" in name}
    assert steps
    assert all(name.endswith("repetition_2") for name in steps)


def test_where_models_run_matters_and_how_many_workers_does_not(finished):
    assert finished.stale(workers=1) == set()
    assert "simple_prompt.generate_repetition_0" in finished.stale(compute={"threads": 2})


@pytest.fixture
def changed(finished):
    """Change a file of the finished project, and put it back afterwards."""
    kept: list[tuple[Path, Path]] = []

    def change(name: str, content: bytes | None) -> None:
        path = finished.path / "data/test" / name
        aside = path.with_name(path.name + ".aside")
        shutil.copy(path, aside)
        kept.append((aside, path))
        path.unlink() if content is None else path.write_bytes(content)

    yield change
    for aside, path in kept:
        aside.replace(path)


def test_a_missing_file_is_made_again_and_what_lies_after_it_holds(finished, changed):
    changed("05_model_input/simple_prompt/repetition_0/added_images/manifest.json", None)
    assert finished.stale() == {"simple_prompt.generate_repetition_0"}


def test_a_damaged_file_is_made_again(finished, changed):
    changed("06_models/classifiers/boomerang/repetition_1.safetensors", b"half a file")
    assert finished.stale() == {"boomerang.train_repetition_1"}


def test_an_artifact_without_its_record_is_not_taken_for_whole(finished, changed):
    changed("04_feature/pool/index.made.json", None)
    assert finished.stale() == {"build_index"}


def test_another_checkpoint_makes_again_what_used_it(finished):
    judge = finished.path / "data/06_models/pretrained/judge.safetensors"
    kept = judge.read_bytes()
    try:
        judge.write_bytes(kept + b" ")
        judged = {
            f"{strategy}.measure_set_repetition_{repetition}"
            for strategy in PLAIN
            if strategy != "original_only"
            for repetition in (0, 1)
        }
        collected = {f"{strategy}.collect_results" for strategy in PLAIN if strategy != "original_only"}
        assert finished.stale() == judged | collected | COMPARISON | {"comparison.check_judge"}
    finally:
        judge.write_bytes(kept)
