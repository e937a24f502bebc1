"""The table of changes, of files: what is missing, damaged or half-written is made again, and nothing else is."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from tests.project.step_names import ADDING, COMPARISON, LEAKS, SEARCHING, measured

# One artifact of every kind that a plain run makes, stage by stage, with the step that makes it.
ARTIFACTS = {
    "target.classes": "read_target",
    "target.reservoir": "read_target",
    "target.val": "read_target",
    "target.test": "read_target",
    "target.originals_per_class": "count_originals",
    "screening.protected": "fingerprint_protected_images",
    "pool.images": "read_pool",
    "target.val_embeddings": "embed_val",
    "pool.embeddings": "embed_pool",
    "pool.index": "build_index",
    "pool.index_check": "check_index",
    "personalise.textual_inversion.repetition_1.learned": "personalise.textual_inversion_repetition_1",
    "personalise.textual_inversion.collection": "personalise.collect_textual_inversion",
    "simple_prompt.repetition_0.added_images": "simple_prompt.generate_repetition_0",
    "simple_prompt.repetition_0.refused_images": "simple_prompt.generate_repetition_0",
    "retrieval_text.repetition_1.added_images": "retrieval_text.retrieve_repetition_1",
    "more_real.repetition_0.added_images": "more_real.reuse_repetition_0",
    "boomerang.repetition_1.classifier": "boomerang.train_repetition_1",
    "boomerang.repetition_1.history": "boomerang.train_repetition_1",
    "boomerang.repetition_1.training_record": "boomerang.train_repetition_1",
    "original_only.repetition_0.predictions": "original_only.predict_test_repetition_0",
    "retrieval_text.repetition_0.set_quality": "retrieval_text.measure_set_repetition_0",
    "boomerang.results": "boomerang.collect_results",
    "boomerang.examples": "boomerang.collect_results",
    "boomerang.outcomes": "boomerang.collect_results",
    "size_curve.times_2.repetition_0.classifier": "size_curve.times_2.train_repetition_0",
    "size_curve.outcomes": "size_curve.collect_outcomes",
    "leak_comparison.retrieval_text.repetition_0.added_images": "leak_comparison.retrieval_text.retrieve_repetition_0",
    "leak_comparison.retrieval_text.outcomes": "leak_comparison.retrieval_text.collect_outcomes",
    "comparison.screening_check": "comparison.check_screening",
    "comparison.judge_check": "comparison.check_judge",
    "comparison.leaderboard": "comparison.compare_strategies",
    "comparison.comparisons": "comparison.compare_strategies",
    "comparison.size_curve": "comparison.compare_strategies",
    "comparison.summary": "comparison.compare_strategies",
    "comparison.sets": "comparison.tabulate",
    "comparison.ledger": "comparison.tabulate",
    "comparison.costs": "comparison.tabulate",
    "comparison.classes": "comparison.tabulate",
    "comparison.leaks": "comparison.compare_leaks",
    "comparison.results_digest": "comparison.digest_results",
    "comparison.report": "comparison.write_report",
}


@pytest.fixture(scope="module")
def opened(finished):
    """The finished project's plain pipeline and catalog, and what of it is stale now; nothing is run."""
    from kedro.framework.project import pipelines

    from retrieval_vs_diffusion.execution.freshness import Freshness
    from retrieval_vs_diffusion.pipeline_registry import whole_study
    from retrieval_vs_diffusion.world import current_study

    bootstrap_project(finished.path)
    with KedroSession.create(finished.path, env="test") as session:
        catalog = session.load_context().catalog
        whole, plain = whole_study(current_study()), pipelines["__default__"]

        def stale() -> set[str]:
            return {node.name for node in Freshness(whole, catalog).stale_nodes(plain)}

        yield plain, catalog, stale


@contextlib.contextmanager
def put_back(*paths: Path) -> Iterator[None]:
    """Files and folders are afterwards as they were, whatever becomes of them."""
    with tempfile.TemporaryDirectory() as aside:
        kept = [(path, Path(aside, str(number))) for number, path in enumerate(paths)]
        for path, copy in kept:
            shutil.copytree(path, copy) if path.is_dir() else shutil.copy2(path, copy)
        try:
            yield
        finally:
            for path, copy in kept:
                shutil.rmtree(path, ignore_errors=True) if copy.is_dir() else path.unlink(missing_ok=True)
                shutil.copytree(copy, path) if copy.is_dir() else shutil.copy2(copy, path)


def record_of(path: Path) -> Path:
    return path.with_name(path.name + ".made.json")


def largest_file(path: Path) -> Path:
    return max((each for each in path.rglob("*") if each.is_file()), key=lambda each: each.stat().st_size)


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def remove_one_file(path: Path) -> None:
    largest_file(path).unlink() if path.is_dir() else path.unlink()


def truncate(path: Path) -> None:
    file = largest_file(path) if path.is_dir() else path
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip_one_byte(path: Path) -> None:
    file = largest_file(path) if path.is_dir() else path
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def remove_record(path: Path) -> None:
    record_of(path).unlink()


def halve_record(path: Path) -> None:
    truncate(record_of(path))


DAMAGES = (remove, remove_one_file, truncate, flip_one_byte, remove_record, halve_record)


@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_an_artifact_that_is_not_whole_is_made_again_and_what_lies_after_it_holds(opened, artifact):
    _, catalog, stale = opened
    path = Path(catalog[artifact]._filepath)
    for done in DAMAGES:
        with put_back(path, record_of(path)):
            done(path)
            assert stale() == {ARTIFACTS[artifact]}, done.__name__


def test_every_kind_of_artifact_of_every_stage_is_in_the_table(opened):
    plain, _, _ = opened
    stages = {"data_ingest", "index_build", "synthesize", "retrieve", "train", "evaluate"}
    by_name = {node.name: node for node in plain.nodes}
    assert stages == {tag for step in ARTIFACTS.values() for tag in by_name[step].tags} - {"gpu"}
    kinds = {kind_of(name) for name in plain.all_outputs()}
    assert {kind_of(name) for name in ARTIFACTS} == kinds


def kind_of(name: str) -> str:
    """A dataset's name without its strategy, personalisation and repetition."""
    if name.split(".")[0] in {"target", "pool", "screening", "comparison"}:
        return name
    return name.split(".")[-1]


@pytest.mark.parametrize(
    "stray",
    [
        "05_model_input/simple_prompt/repetition_0/added_images.4711.part/shard-00000.parquet",  # an interrupted write
        "06_models/classifiers/boomerang/repetition_1.safetensors.4711.part",
        "06_models/classifiers/boomerang/repetition_1.safetensors.made.json.4711.part",
        "08_reporting/notes of mine.txt",
        "05_model_input/a_row_that_was_taken_out/repetition_0/added_images/manifest.json",
    ],
)
def test_what_an_interrupted_run_or_a_user_left_beside_the_artifacts_changes_nothing(finished, opened, stray):
    path = finished.path / "data/test" / stray
    existed = {each for each in path.parents if each.exists()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    try:
        assert opened[2]() == set()
    finally:
        path.unlink()
        for folder in path.parents:
            if folder not in existed:
                folder.rmdir()


# ---- what no step makes


def test_another_judge_makes_again_what_it_judged(finished, opened):
    judge = finished.path / "data/06_models/pretrained/judge.safetensors"
    with put_back(judge):
        flip_one_byte(judge)
        assert opened[2]() == measured(*ADDING) | COMPARISON | LEAKS | {"comparison.check_judge"}


@pytest.mark.parametrize("model", ["clip", "diffusion"])
def test_another_checkpoint_makes_again_what_used_it(finished, opened, model):
    folder = finished.path / "data/06_models/pretrained" / model
    plain, _, stale = opened
    used = {node.name for node in plain.nodes if model in node.inputs}
    with put_back(folder):
        flip_one_byte(folder)
        made = stale()
    assert used <= made
    learned = {name for name in made if ".train_" in name or ".predict_test_" in name}
    rows = {"clip": {"retrieval_text"}, "diffusion": {"simple_prompt", "boomerang", "textual_inversion"}}[model]
    aside = {"leak_comparison"} if model == "clip" else set()
    assert {name.split(".")[0] for name in learned} == rows | aside  # of all rows these alone are trained again
    assert (made >= SEARCHING) == (model == "clip")


def test_the_same_checkpoint_copied_anew_makes_nothing_again(finished, opened):
    folder = finished.path / "data/06_models/pretrained/clip"
    with put_back(folder):
        for file in folder.rglob("*"):
            os.utime(file, (1, 1))
        assert opened[2]() == set()
