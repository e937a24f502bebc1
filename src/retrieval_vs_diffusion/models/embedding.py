"""Embedding an image table, however large: two batches of images are in memory at most."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.pool import LINKS
from retrieval_vs_diffusion.models.checkpoint import read_checkpoint, write_checkpoint
from retrieval_vs_diffusion.models.clip import Clip
from retrieval_vs_diffusion.models.embedding_ahead import EmbeddingAhead
from retrieval_vs_diffusion.models.embeddings import Embeddings, EmbeddingStream, embeddings_of_files
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.unfinished import unfinished

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
    kept = unfinished().section("embedded")
    starts = range(0, len(images), _AT_ONCE)
    with EmbeddingAhead(images, clip, _AT_ONCE) as ahead:
        for number, start in enumerate(progress(starts, "embedding images (batches)")):
            key = f"{clip.name}, images {start} and on of {len(images)}"
            vectors = kept.find(number, partial(read_checkpoint, key=key))
            if vectors is None:
                vectors = torch.from_numpy(ahead.vectors(start))
                kept.keep(number, partial(write_checkpoint, state=vectors, key=key))
            yield vectors.numpy()


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
