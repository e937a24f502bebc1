"""Generated images on their way to the disk: rows of an image table, beside PNG files one by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from benchmarks.measuring import Measured, interleaved
from benchmarks.natural_pictures import natural_pictures, psnr
from benchmarks.rows import row
from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
from retrieval_vs_diffusion.images.image_table import ImageTable, content_hash
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.generation import generated_rows
from retrieval_vs_diffusion.strategies.recipe import Recipe
from retrieval_vs_diffusion.strategies.source import Surroundings
from retrieval_vs_diffusion.unfinished import kept_in

PICTURES, SIDE, BATCH = 32, 512, 8
DECIBELS = 40  # from which a decoded image counts as the same


@row("image_writing", "png-files", at_least=10)
def image_writing(folder: Path) -> Measured:
    """All that happens to an image from the pixels on: encoding, hashing, the unit that outlives a kill, the table."""
    pictures = natural_pictures(PICTURES, SIDE)
    generated = [Image.fromarray(each) for each in pictures]  # what a pipeline of diffusers gives
    runs = itertools.count()
    table = ImageTableDataset(filepath=str(folder / "table"))

    def ours() -> None:
        with kept_in(folder / "unfinished" / f"{next(runs)}"):
            table.save(ImageTable.from_rows(_rows(pictures)))

    def theirs() -> None:
        for number, image in enumerate(generated):
            image.save(folder / f"image_{number}.png")

    measured = interleaved(ours, theirs)
    made = table.load()
    apart = [psnr(*pair) for pair in zip(made.pixels(), pictures, strict=True)]
    hashed = made.column("content_hash") == [content_hash(each) for each in pictures]
    encoded = list(made.encoded())
    formats = "/".join(sorted({str(Image.open(folder / "image_0.png").format), _format_of(encoded[0])}, reverse=True))
    sizes = [sum(map(len, encoded)), sum(path.stat().st_size for path in folder.glob("*.png"))]
    return replace(
        measured.with_check(
            hashed and min(apart) >= DECIBELS,
            f"decoded images at {min(apart):.1f} dB PSNR or more, {np.mean(apart):.1f} on average; theirs/ours "
            f"{formats}, {sizes[1] / PICTURES / 1000:.0f}/{sizes[0] / PICTURES / 1000:.0f} kB an image; theirs without loss "
            "and left to the system, ours with a hash and a recipe and on the disk twice (fsync) before it counts",
        ),
        work=f"{PICTURES} pictures of {SIDE} pixels",
    )


def _rows(pictures: list[UInt8[np.ndarray, "s s 3"]]) -> list[dict]:
    """As a generator's rows are made, of a model that needs no time."""
    model = SimpleNamespace(
        pipeline=SimpleNamespace(dtype=torch.float32), device=torch.device("cpu"), checkpoint="ready-made"
    )
    recipes = [Recipe(0, number, "a picture", "a picture", number, f"picture/{number}") for number in range(PICTURES)]

    def draw(chosen: Sequence[Recipe]) -> Iterator[UInt8[np.ndarray, "s s 3"]]:
        return iter([pictures[recipe.number] for recipe in chosen])

    surroundings = Surroundings(("picture",), "ready_made", ("benchmark",))
    parents = [None] * PICTURES
    return list(
        generated_rows(draw, recipes, Sampling(batch_size=BATCH), model, surroundings, parents, generator="ready_made")
    )


def _format_of(data: bytes) -> str:
    return "JPEG" if data[:2] == b"\xff\xd8" else "PNG"
