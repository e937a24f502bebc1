"""A study of 10 to 1,000 classes in a copy of this project, a stage a process: ``kedro run --pipeline=<stage>``."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path

from benchmarks.growth.drawn_pictures import drawn, write_tars
from benchmarks.growth.series import Series, Step
from benchmarks.project_copy import copy_project

PER_CLASS, POOL_PER_CLASS, SIDE = 8, 10, 32  # images of the target and of the pool, and their side in pixels
_ROWS = "original_only+more_real+simple_prompt+textual_inversion+retrieval_text+retrieval_image"
# Of 8 images a class 2 are validated and 2 tested on, 2 trained on. What is learned sees each original once.
_SETTINGS = (
    "target.reader.val=2,target.reader.test=2,target.per_class=2,added_per_original=1,repetitions.number=1,"
    "classifier.model=tiny_convnet,classifier.image_size=16,classifier.steps=20,classifier.validation_looks=2,"
    "clip.model=data/06_models/pretrained/clip,clip.checkpoint=null,"
    "diffusion.path=data/06_models/pretrained/diffusion,diffusion.precision=float32,"
    "sampling.steps=2,sampling.batch_size=60,size_curve.times_originals=2,"
    "personalisations.textual_inversion.training.batch_size=20,personalisations.textual_inversion.training.looks=2,"
    "compute.device=cpu,compute.threads=1,workers=1"
)


def _prepare(size: int, folder: Path) -> None:
    copy_project(folder / "project")
    pictures = drawn(SIDE, size * (PER_CLASS + POOL_PER_CLASS))
    for label in range(size):
        place = folder / f"target/class_{label:04d}"
        place.mkdir(parents=True)
        for number in range(PER_CLASS):
            (place / f"{number}.jpg").write_bytes(next(pictures))
    write_tars(folder / "pool", ((data, f"picture {number}") for number, data in enumerate(pictures)))


def _stage(*chosen: str) -> Step:
    def run(size: int, folder: Path) -> Generator[None, None, None]:
        import faiss  # noqa: F401  (these are imported before anything is watched)
        import mlflow  # noqa: F401
        import open_clip  # noqa: F401
        import plotly.graph_objects  # noqa: F401
        import timm  # noqa: F401
        from diffusers import StableDiffusionPipeline  # noqa: F401
        from kedro.framework.cli.cli import main
        from kedro_datasets.pandas import ParquetDataset  # noqa: F401

        os.chdir(folder / "project")
        learned = f"personalisations.textual_inversion.training.steps={-(-2 * size // 20)}"
        given = f"target.path={folder}/target,pool.path={folder}/pool,only={_ROWS},{learned},{_SETTINGS}"
        sys.argv = ["kedro", "run", "--env=own", *chosen, "--params", given]
        yield
        try:
            main()
        except SystemExit as ended:
            if ended.code:
                raise RuntimeError(f"kedro run {' '.join(chosen)} ended with {ended.code}") from ended

    return run


SERIES = Series(
    "classes",
    "classes",
    (10, 100, 1_000),
    _prepare,
    {
        **{
            stage: _stage(f"--pipeline={stage}")
            for stage in ("data_ingest", "index_build", "synthesize", "retrieve", "train", "evaluate")
        },
        "nothing to do": _stage(),
    },
)
