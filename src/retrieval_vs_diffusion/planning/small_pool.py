"""The first images of a pool made searchable, as the whole pool will be."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.pool import LINKS
from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.models.sharded_vectors import ShardedVectors
from retrieval_vs_diffusion.models.unit_vectors import unit_vectors
from retrieval_vs_diffusion.planning.pilot_row import whole_embeddings
from retrieval_vs_diffusion.planning.pilot_world import Stages


def small_pool(
    images: ImageTable | None, clip: Any, settings: dict[str, Any], compute: dict[str, Any], stages: Stages
) -> tuple[ImageTable | None, Any, Any]:
    """Images in memory, their embeddings and an index over them; three times None without a pool.

    Of a pool of links the embeddings are those that it came with, and no more of them are read.

    Args:
        images: the sample.
        clip: on its device.
        settings: of the index; another tool's index over the whole pool is not used.
        compute: where models run.
        stages: what embeds and indexes.
    """
    if images is None:
        return None, None, None
    held = ImageTable(images.table, {**images.ledger, "index": None})
    if held.ledger.get("kind") == LINKS:
        vectors = ShardedVectors(held.ledger["embeddings"])[np.arange(len(held))]
        embeddings = Embeddings(unit_vectors(np.asarray(vectors))[0], clip.name)
    else:
        embeddings = whole_embeddings(stages.embed(held, clip, compute))
    index = stages.build_index(None, embeddings, held, {**settings, "path": None, "factory": "Flat"})
    return held, embeddings, index
