"""Embedding an image table, however large: two batches of images are in memory at most."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.executors.executor import executor
from retrieval_vs_diffusion.executors.units import Unit, Work
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.pool import LINKS
from retrieval_vs_diffusion.models.checkpoint import read_checkpoint, write_checkpoint
from retrieval_vs_diffusion.models.clip import Clip
from retrieval_vs_diffusion.models.embedding_ahead import EmbeddingAhead
from retrieval_vs_diffusion.models.embeddings import Embeddings, EmbeddingStream, embeddings_of_files
from retrieval_vs_diffusion.unfinished import Section, unfinished

if TYPE_CHECKING:
    from collections.abc import Mapping

_AT_ONCE = 256  # images


def embed_table(images: ImageTable, clip: Clip) -> Embeddings | EmbeddingStream:
    """Embeddings of all images by row, made while they are written.

    Those of a pool of links are the ones that it came with: its images are not there to be embedded.

    Raises:
        UserError: if a pool of links came with embeddings of another model.
    """
    if images.ledger.get("kind") == LINKS:
        return _given(images.ledger, clip)
    stream = EmbeddingStream(_batches(images, clip), len(images), clip.name)
    stream.seconds = unfinished().spent_before.get("seconds", 0.0)
    unfinished().measure(lambda: {"seconds": stream.seconds})
    return stream


def _batches(images: ImageTable, clip: Clip) -> Iterator[Float[np.ndarray, "_ d"]]:
    """Each batch is a unit of unfinished work: a run that was killed goes on after the last whole one."""
    starts = range(0, len(images), _AT_ONCE)
    units = [
        Unit(number, f"{clip.name}, images {start} and on of {len(images)}", start)
        for number, start in enumerate(starts)
    ]
    kept = unfinished().section("embedded")
    return executor().run(Embedding(images, clip, _AT_ONCE), units, kept, "embedding images (batches)")


class Embedding(Work[Float[np.ndarray, "_ d"]]):
    """Embeds a table by units of so many rows.

    Args:
        images: of any size; a unit takes the number of its first one.
        clip: embeds them.
        at_once: images of a unit.
    """

    def __init__(self, images: ImageTable, clip: Clip, at_once: int) -> None:
        self._images, self._clip, self._at_once = images, clip, at_once

    @property
    def device(self) -> torch.device:
        """CLIP's."""
        return self._clip.device

    def make(self, units: Iterable[Unit], kept: Section) -> Generator[Float[np.ndarray, "_ d"], None, None]:
        """Vectors of each unit's images; the next unit is begun while one is waited for."""
        with EmbeddingAhead(self._images, self._clip, self._at_once) as ahead:
            for unit in units:
                vectors = torch.from_numpy(ahead.vectors(unit.takes))
                kept.keep(unit.number, partial(write_checkpoint, state=vectors, key=unit.key))
                yield vectors.numpy()

    def read(self, path: Path, unit: Unit) -> Float[np.ndarray, "_ d"]:
        """The vectors of a unit."""
        return read_checkpoint(path, unit.key).numpy()


def _given(ledger: Mapping[str, object], clip: Clip) -> Embeddings:
    declared, files = ledger.get("clip"), ledger["embeddings"]
    if declared is not None and declared != clip.name:
        raise UserError(
            f"pool.reader.clip: the embeddings are of {declared}, clip.model is {clip.name}; searching needs the model "
            "that made them"
        )
    given = embeddings_of_files(files, clip.name)  # type: ignore[arg-type]
    width = clip.embed_texts(["nothing"]).shape[1]
    if given.width != width:
        raise UserError(
            f"{given.origin}: found vectors of {given.width} dimensions, {clip.name} (clip.model) makes {width}; "
            "searching needs the model that made them"
        )
    return given
