"""The pipelines as Kedro's users see them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from retrieval_vs_diffusion.execution.freshness import is_optional
from tests.project.conftest import ROWS

STAGES = {"data_ingest", "index_build", "synthesize", "retrieve", "train", "evaluate"}


@pytest.fixture(scope="module")
def pipelines(empty_project):
    from kedro.framework.project import pipelines

    bootstrap_project(empty_project)
    with KedroSession.create(empty_project, env="test") as session:
        session.load_context()
        return dict(pipelines)


def test_the_stages_and_each_strategy_have_a_pipeline(pipelines):
    assert set(pipelines) >= STAGES | {"__default__", "pretrain", "original_only", "retrieval_text"}


def test_a_plain_run_is_the_stages_and_never_pretrains(pipelines):
    together = sum((pipelines[stage] for stage in STAGES), pipelines["data_ingest"])
    assert {node.name for node in together.nodes} == {node.name for node in pipelines["__default__"].nodes}
    assert not any("pretrain" in node.tags for node in pipelines["__default__"].nodes)


def test_steps_that_use_clip_or_diffusion_carry_the_tag_gpu(pipelines):
    for node in pipelines["__default__"].nodes:
        assert ("gpu" in node.tags) == bool({"clip", "diffusion"} & set(node.inputs)), node.name


def test_every_dataset_is_declared_with_its_layer(empty_project, pipelines):
    bootstrap_project(empty_project)
    with KedroSession.create(empty_project, env="test") as session:
        catalog = session.load_context().catalog
        for name in sum(pipelines.values(), pipelines["pretrain"]).datasets():
            if not name.startswith("params:"):
                assert name in catalog, name
                assert catalog[name].metadata["kedro-viz"]["layer"], name


def test_every_row_and_a_plain_run_start_in_an_empty_folder(empty_project, pipelines):
    """What a pipeline needs and does not make is the user's, a parameter, or may be missing."""
    brought = {"clip", "diffusion", "judge", "pool.takedown", "pool.downloaded"}
    rows = {name: each for name, each in pipelines.items() if name in ROWS or name == "__default__"}
    assert len(rows) == len(ROWS) + 1
    bootstrap_project(empty_project)
    with KedroSession.create(empty_project, env="test") as session:
        catalog = session.load_context().catalog
        for name, pipeline in rows.items():
            needed = {each for each in pipeline.inputs() if not each.startswith("params:") and each != "parameters"}
            assert [each for each in needed - brought if not is_optional(catalog[each])] == [], name


def test_sets_that_were_generated_alone_are_measured_against_the_pool(pipelines):
    measured = [node for node in pipelines["__default__"].nodes if ".measure_set" in node.name]
    against_the_pool = {node.namespace for node in measured if {"pool.images", "pool.index"} <= set(node.inputs)}
    without = {node.namespace for node in measured if not {"pool.images", "pool.index"} & set(node.inputs)}
    generating = {node.namespace for node in pipelines["__default__"].nodes if ".generate_" in node.name}
    assert against_the_pool == generating >= {"simple_prompt", "boomerang", "textual_inversion"}
    assert without >= {"more_real", "retrieval_text"}
    assert not without & generating
    assert all("target.val_embeddings" in node.inputs for node in measured)


def test_listing_the_pipelines_imports_no_heavy_library(empty_project):
    code = (
        "import sys; from pathlib import Path; from kedro.framework.startup import bootstrap_project;"
        "bootstrap_project(Path.cwd()); from kedro.framework.project import pipelines; list(pipelines);"
        "print([name for name in ('torch', 'diffusers', 'mlflow', 'faiss', 'ray') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=empty_project, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
