"""Nodes that embed the pool and the validation images, and make the pool searchable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.models.clip import Clip
    from retrieval_vs_diffusion.models.vector_index import Embeddings, VectorIndex


def embed(images: ImageTable, clip: Clip, compute: dict[str, Any]) -> Embeddings:
    """Embed all images, of any size, with CLIP's image tower."""
    import time

    import numpy as np

    from retrieval_vs_diffusion.images import codec
    from retrieval_vs_diffusion.images.square import square
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.models.vector_index import Embeddings

    started = time.perf_counter()
    clip = clip.to(choose_device(**compute))
    squares = np.stack([square(codec.decode(data), clip.image_size) for data in images.encoded()])
    return Embeddings(clip.embed_images(squares), clip.name, time.perf_counter() - started)


def build_index(embeddings: Embeddings) -> VectorIndex:
    """Index the embeddings for search by inner product."""
    from retrieval_vs_diffusion.models import vector_index

    return vector_index.build_index(embeddings)
