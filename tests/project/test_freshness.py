"""The table of changes: what each one makes again, no more and no less."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.project.conftest import PLAIN

TABLES = {"comparison.compare_strategies", "comparison.tabulate"}
COMPARISON = {*TABLES, "comparison.write_report"}
# Beside the rows: the baseline at twice and three times the images, and retrieval with leaks let through.
SIZES = ("size_curve.times_2", "size_curve.times_3")
LEAKY = "leak_comparison.retrieval_text"


def of(strategy: str, *steps: str) -> set[str]:
    """A strategy's steps of both repetitions, and what collects them."""
    each = {f"{strategy}.{step}_repetition_{repetition}" for step in steps for repetition in (0, 1)}
    return each | {f"{strategy}.collect_results"}


def training(*strategies: str) -> set[str]:
    """Training and what follows it."""
    return set().union(*(of(strategy, "train", "predict_test") for strategy in strategies))


def aside(variant: str, *steps: str) -> set[str]:
    """Steps of a variant in both repetitions."""
    return {f"{variant}.{step}_repetition_{repetition}" for step in steps for repetition in (0, 1)}


def training_aside() -> set[str]:
    """Training of everything beside the rows, and what follows it."""
    trained = set().union(*(aside(variant, "train", "predict_test") for variant in (*SIZES, LEAKY)))
    return trained | {"size_curve.collect_outcomes", f"{LEAKY}.collect_outcomes", "comparison.compare_leaks"}


def test_nothing_changed_nothing_stale(finished):
    assert finished.stale() == finished.stale(only="all") == set()


def test_a_recipe_makes_all_classifiers_again_and_no_image(finished):
    assert finished.stale(classifier={"steps": 21}) == training(*PLAIN) | training_aside() | COMPARISON


def test_a_strategys_parameter_makes_that_strategy_again(finished):
    changed = {"boomerang": {"generate": {"strength": 0.3}}}
    made = of("boomerang", "generate", "measure_set", "train", "predict_test")
    assert finished.stale(strategies=changed) == made | COMPARISON


def test_a_personalisation_makes_its_strategies_again(finished):
    learned = {f"personalise.textual_inversion_repetition_{repetition}" for repetition in (0, 1)}
    made = of("textual_inversion", "generate", "measure_set", "train", "predict_test")
    stale = finished.stale(personalisations={"textual_inversion": {"training": {"steps": 5}}})
    # A row of the leak comparison uses the pseudo-words too.
    collected = {"personalise.collect_textual_inversion", "comparison.compare_leaks"}
    assert stale == learned | collected | made | COMPARISON


def test_the_mark_for_low_agreement_makes_the_verdict_again(finished):
    assert finished.stale(low_label_agreement=0.6) == COMPARISON - {"comparison.tabulate"}


def test_a_price_makes_the_costs_again_and_nothing_else(finished):
    assert finished.stale(price={"per_hour": 2.0}) == {"comparison.tabulate", "comparison.write_report"}


def test_another_size_of_the_curve_is_trained_alone(finished):
    made = aside("size_curve.times_4", "train", "predict_test") | {"size_curve.collect_outcomes"}
    verdict = {"comparison.compare_strategies", "comparison.write_report"}
    assert finished.stale(size_curve={"times_originals": [2, 3, 4]}) == made | verdict


def test_no_side_comparison_is_made_where_none_is_asked_for(finished):
    stale = finished.stale(size_curve={"times_originals": []}, leak_comparison={"arms": []})
    assert stale == {"comparison.compare_strategies", "comparison.compare_leaks", "comparison.write_report"}


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
        compared = COMPARISON | {"comparison.compare_leaks", "comparison.check_judge"}
        assert finished.stale() == judged | collected | compared
    finally:
        judge.write_bytes(kept)
