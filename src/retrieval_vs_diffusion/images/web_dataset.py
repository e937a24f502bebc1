"""A training set as WebDataset shards: tar files that are read from front to back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from retrieval_vs_diffusion.images.image_folder import about
from retrieval_vs_diffusion.images.training_set import TrainingImage, TrainingSet

SHARD_BYTES = 256 * 2**20  # of images; a shard is what one worker of a loader reads


def write_shards(training_set: TrainingSet, folder: Path, shard_bytes: int = SHARD_BYTES) -> list[Path]:
    """Write ``train-00000.tar``, ... into a folder, in an order drawn from the set's seed.

    A sample is ``<key>.png`` or ``.jpg``, ``.cls`` (the label), ``.txt`` (the caption, else the prompt,
    else nothing) and ``.json`` (class, origin and provenance). The same set gives the same bytes.

    Args:
        training_set: the images.
        folder: exists.
        shard_bytes: a shard is ended when its images have so many bytes.

    Returns:
        The shards' paths in order.
    """
    # The library's own writer, so that what its reader expects is its matter. `encoder=False` makes it
    # take bytes alone: with its default encoder, what has no format of its own would be pickled.
    from webdataset import TarWriter

    images = list(training_set.images())
    order = np.random.default_rng(training_set.shuffle_seed).permutation(len(images))
    shards = []
    for number, part in enumerate(_parts([images[position] for position in order], shard_bytes)):
        shard = folder / f"train-{number:05d}.tar"
        with shard.open("wb") as file, TarWriter(file, "nobody", "nogroup", 0o644, encoder=False, mtime=0) as writer:
            for image in part:
                writer.write(_sample(image))
        shards.append(shard)
    return shards


def _sample(image: TrainingImage) -> dict[str, Any]:
    """File contents by ending; the key has no dot, where the library would begin the ending."""
    described = {name: value for name, value in about(image, "").items() if name != "file"}
    return {
        "__key__": image.key,
        image.extension: image.data,
        "cls": str(image.label).encode(),
        "txt": image.text.encode(),
        "json": json.dumps(described, sort_keys=True).encode(),
    }


def _parts(images: list[TrainingImage], shard_bytes: int) -> Iterator[list[TrainingImage]]:
    part: list[TrainingImage] = []
    size = 0
    for image in images:
        part.append(image)
        size += len(image.data)
        if size >= shard_bytes:
            yield part
            part, size = [], 0
    if part:
        yield part
