"""1 to 10 added images for each of 300 originals: retrieved or generated and screened, measured, and trained on."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.growth.drawn_pictures import drawn, write_tars
from benchmarks.growth.pictures import PRETRAINED
from benchmarks.growth.series import Series

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ORIGINALS, HELD_BACK, VAL = 30, 5, 5  # images a class
POOL, SIDE = 6_000, 256  # images of the pool, and the side of all images in pixels
_NOISE = 0.02
_COMPUTE = {"device": "cpu", "threads": 1}


def _prepare(size: int, folder: Path) -> None:
    """A pool of which each class has a tenth, and the target."""
    del size
    from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
    from retrieval_vs_diffusion.catalog.search_datasets import EmbeddingsDataset
    from retrieval_vs_diffusion.images import codec
    from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
    from retrieval_vs_diffusion.images.readers.captioned_images import CaptionedImages
    from retrieval_vs_diffusion.images.screening import fingerprint
    from retrieval_vs_diffusion.models.clip import load_clip
    from retrieval_vs_diffusion.models.embeddings import Embeddings

    write_tars(folder / "tars", ((data, "a picture") for data in drawn(SIDE, POOL)))
    ImageTableDataset(filepath=str(folder / "pool")).save(CaptionedImages(folder / "tars").read())
    shutil.rmtree(folder / "tars")
    clip, random = load_clip(str(PRETRAINED / "clip")), np.random.default_rng(0)
    texts = clip.embed_texts([f"a photo of a {name}" for name in NAMES])
    near = texts[random.integers(len(NAMES), size=POOL)]
    vectors = (near + _NOISE * random.standard_normal(near.shape)).astype(np.float32)
    EmbeddingsDataset(filepath=str(folder / "embeddings")).save(Embeddings(vectors, clip.name))
    parts = {"reservoir": ORIGINALS + HELD_BACK, "val": VAL, "test": VAL}
    for seed, (part, each) in enumerate(parts.items(), start=1):
        rows = (
            image_row(codec.decode(data), f"{part}/{number}", label=number % len(NAMES), true_label=number % len(NAMES))
            for number, data in enumerate(drawn(SIDE, each * len(NAMES), seed))
        )
        ImageTableDataset(filepath=str(folder / part)).save(ImageTable.from_rows(rows))
    val, test = (ImageTableDataset(filepath=str(folder / part)).load() for part in ("val", "test"))
    fingerprint(val, test).to_parquet(folder / "protected.parquet")
    EmbeddingsDataset(filepath=str(folder / "val_embeddings")).save(Embeddings(clip.embed_table(val), clip.name))


def _open(folder: Path, name: str) -> Any:
    from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset

    return ImageTableDataset(filepath=str(folder / name)).load()


def _bring(source: Any, size: int, folder: Path, name: str, **inputs: Any) -> None:
    """The node that brings a row's images, with its units of unfinished work, and their writing."""
    import pandas as pd

    from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
    from retrieval_vs_diffusion.pipelines.bring_images import bring_images
    from retrieval_vs_diffusion.strategies.class_table import ClassTable
    from retrieval_vs_diffusion.unfinished import kept_in

    unfinished = folder / f".{name}_{size}.unfinished"
    with kept_in(unfinished / "first"):
        images, _ = bring_images(
            source,
            strategy=name,
            added_per_original=float(size),
            seed_parts=("growth", name),
            subset=None,
            class_table=ClassTable(),
            personalisation=None,
            personalised=None,
            lets_leaks_through=False,
            class_names=list(NAMES),
            originals_per_class=[ORIGINALS] * len(NAMES),
            protected=pd.read_parquet(folder / "protected.parquet"),
            screening={"leak_similarity": 0.88},
            compute=_COMPUTE,
            **inputs,
        )
        ImageTableDataset(filepath=str(folder / f"{name}_{size}")).save(images)
    shutil.rmtree(unfinished, ignore_errors=True)
    assert len(images) == size * ORIGINALS * len(NAMES), f"{len(images)} images for {size} times the originals"


def retrieve(size: int, folder: Path) -> Generator[None, None, None]:
    """Images of 256 pixels from the pool, by text."""
    from retrieval_vs_diffusion.catalog.search_datasets import EmbeddingsDataset
    from retrieval_vs_diffusion.models.clip import load_clip
    from retrieval_vs_diffusion.models.vector_index import build_index
    from retrieval_vs_diffusion.strategies.retrieve.by_text import ByText

    embeddings = EmbeddingsDataset(filepath=str(folder / "embeddings")).load()
    inputs = {"clip": load_clip(str(PRETRAINED / "clip")), "pool": _open(folder, "pool"), "takedown": frozenset()}
    inputs |= {"index": build_index(embeddings), "embeddings": embeddings, "store": None, "downloads": {}}
    yield
    _bring(ByText(prompts=("a photo of a {name}",)), size, folder, "retrieved", **inputs)


def generate(size: int, folder: Path) -> Generator[None, None, None]:
    """Images of the repository's diffusion model, three steps each."""
    from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion
    from retrieval_vs_diffusion.strategies.generate.text_to_image import TextToImage

    diffusion = load_diffusion(str(PRETRAINED / "diffusion"))
    yield
    sampling = {"steps": 3, "guidance_scale": 3.0, "batch_size": 60}
    _bring(TextToImage(), size, folder, "generated", diffusion=diffusion, sampling=sampling)


def measure(size: int, folder: Path) -> Generator[None, None, None]:
    """What the retrieved set is worth, before anything is trained on it."""
    from retrieval_vs_diffusion.catalog.search_datasets import EmbeddingsDataset
    from retrieval_vs_diffusion.models.clip import load_clip
    from retrieval_vs_diffusion.pipelines.evaluate.nodes import measure_set

    clip, val = load_clip(str(PRETRAINED / "clip")), EmbeddingsDataset(filepath=str(folder / "val_embeddings")).load()
    added = _open(folder, f"retrieved_{size}")
    yield
    measure_set("repetition_0", added, list(NAMES), clip, val, 0.93, _COMPUTE)


def train(size: int, folder: Path) -> Generator[None, None, None]:
    """A small classifier at 64 pixels, 20 steps: what grows is the reading of its images."""
    import timm  # noqa: F401

    from retrieval_vs_diffusion.images.target import SubsetDraw
    from retrieval_vs_diffusion.pipelines.train.nodes import train_classifier
    from retrieval_vs_diffusion.training.recipe import ClassifierTraining

    images = {"reservoir": _open(folder, "reservoir"), "val": _open(folder, "val")}
    added = _open(folder, f"retrieved_{size}")
    recipe = {"model": "tiny_convnet", "image_size": 64, "steps": 20, "validation_looks": 1}
    yield
    train_classifier(
        mix="share",
        overrides=ClassifierTraining(),
        init_digest=None,
        seed=0,
        description="growth",
        subset=SubsetDraw(0),
        originals=1.0,
        added_per_original=None,
        originals_per_class=[ORIGINALS] * len(NAMES),
        class_names=list(NAMES),
        recipe=recipe,
        compute=_COMPUTE,
        added=added,
        **images,
    )


SERIES = Series(
    "added images",
    "added images for each original",
    (1, 2, 5, 10),
    _prepare,
    {
        "retrieve and screen": retrieve,
        "generate and screen": generate,
        "measure the set": measure,
        "train on it": train,
    },
    shares_folder=True,
)
