"""The worlds that come with the project: each resolves, and runs end to end on a few files of its real format."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from PIL import Image

from benchmarks.project_copy import ROOT, copy_project
from tests.images.downloads.server import serve
from tests.project.conftest import kedro
from tests.project.own_files import as_jpeg, rendered_pool, write_links, write_shards

WORLDS = ("own", "imagenet10", "caltech256", "cifar10")
# Tiny models and numbers in place of the world's: everything else is as it stands in its files.
TINY = (
    "clip.model=data/06_models/pretrained/clip,clip.checkpoint=null,diffusion.path=data/06_models/pretrained/diffusion,"
    "diffusion.precision=float32,compute.threads=1,workers=2,repetitions.number=1,added_per_original=1,"
    "classifier.model=tiny_convnet,classifier.image_size=16,classifier.steps=6,classifier.batch_size=8,"
    "classifier.validation_looks=1,sampling.steps=2,sampling.batch_size=4,size_curve.times_originals=2"
)


@pytest.mark.parametrize("world", WORLDS)
def test_parameters_and_catalog_resolve(world, empty_project):
    from kedro.framework.project import pipelines

    from retrieval_vs_diffusion.world import current_study

    bootstrap_project(empty_project)
    given = {"target": {"path": "/t"}, "pool": {"path": "/p"}} if world == "own" else {}
    with KedroSession.create(empty_project, env=world, runtime_params=given) as session:
        catalog = session.load_context().catalog
        study = current_study()
        assert study.parameters.world == world
        nodes = pipelines["__default__"].nodes
        assert {"read_target", "read_pool", "embed_pool"} <= {node.name for node in nodes}
        for name in sorted({each for node in nodes for each in (*node.inputs, *node.outputs)}):
            if not name.startswith("params:"):
                assert catalog.get(name) is not None, name


@pytest.mark.parametrize("world", WORLDS)
def test_the_header_says_what_to_put_where_and_what_to_run(world):
    text = (ROOT / "conf" / world / "parameters.yml").read_text()
    header = text[: text.index("\nworld:")]
    assert f"kedro run --env={world}" in header
    assert re.search(r"Disk|disk|cost", header)


def write_photographs(folder: Path, names: list[str], each: int, ending: str, seed: int) -> None:
    """Class folders of noisy JPEGs, wide ones and high ones, in a colour of their class."""
    random = np.random.default_rng(seed)
    for label, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            size = (40, 60, 3) if number % 2 else (60, 40, 3)
            pixels = random.integers(0, 80, size) + np.eye(3, dtype=int)[label % 3] * 150
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{name}_{number}.{ending}", "JPEG")


def run(project: Path, world: str, params: str) -> pd.DataFrame:
    ran = kedro(project, "run", f"--env={world}", "--params", f"{params},{TINY}")
    assert ran.returncode == 0, ran.stderr[-3000:]
    return pd.read_csv(project / "data" / world / "08_reporting/leaderboard.csv")


def classes(project: Path, world: str) -> list[str]:
    return json.loads((project / "data" / world / "02_intermediate/target/classes.json").read_text())


def test_imagenet10_runs_on_folders_of_wordnet_numbers_and_links(tmp_path):
    project = copy_project(tmp_path / "project")
    raw = project / "data/imagenet10/01_raw"
    wnids = ["n01440764", "n01443537", "n02123045"]
    write_photographs(raw / "imagenet/train", wnids, 16, "JPEG", seed=0)
    write_photographs(raw / "imagenet/val", wnids, 3, "JPEG", seed=1)
    pool = rendered_pool(120)
    with serve() as web:
        for number, row in enumerate(pool.rows(range(len(pool)))):
            web.add(f"{number}.jpg", as_jpeg(row))
        write_links(raw / "laion", pool, web.address, project / "data/06_models/pretrained/clip")
        asking = "pool.downloads.private_addresses=true,pool.downloads.seconds_between=0,pool.reader.clip=null"
        rows = "only=original_only+more_real+clip_prompts+retrieval_text"
        board = run(project, "imagenet10", f"{asking},{rows},target.reader.val=2")
    assert list(board["strategy"]) == ["original_only", "more_real", "clip_prompts", "retrieval_text"]
    assert classes(project, "imagenet10") == ["tench", "goldfish", "tabby cat"]  # as open_clip calls them
    report = (project / "data/imagenet10/08_reporting/report.html").read_text()
    assert "57.2" in report  # the published figures beside ours
    originals = json.loads((project / "data/imagenet10/02_intermediate/target/originals_per_class.json").read_text())
    assert originals == [7, 7, 7]  # half of the 14 that are left of 16 when 2 are for validation


def test_caltech256_runs_on_numbered_folders_and_shards(tmp_path):
    project = copy_project(tmp_path / "project")
    raw = project / "data/caltech256/01_raw"
    write_photographs(raw / "256_ObjectCategories", ["001.ak47", "002.american-flag"], 12, "jpg", seed=0)
    write_shards(raw / "pool", rendered_pool(120))
    few = "target.per_class=3,target.reader.val=2,target.reader.test=3,target.reader.reservoir_at_most=6"
    board = run(project, "caltech256", f"{few},only=original_only+boomerang+retrieval_text")
    assert list(board["strategy"]) == ["original_only", "boomerang", "retrieval_text"]
    assert classes(project, "caltech256") == ["ak47", "american flag"]


def test_cifar10_runs_on_the_files_that_its_script_writes(tmp_path):
    project = copy_project(tmp_path / "project")
    raw = project / "data/cifar10/01_raw"
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    for seed, (part, each) in enumerate({"train": 6, "val": 2, "test": 2}.items()):
        write_photographs(raw / "target" / part, names, each, "jpg", seed)
    write_shards(raw / "pool", rendered_pool(120))
    few = "target.per_class=2,judge.path=null,leak_comparison.arms=both"
    board = run(project, "cifar10", f"{few},only=original_only+strong_augmentation+retrieval_image")
    assert list(board["strategy"]) == ["original_only", "strong_augmentation", "retrieval_image"]
