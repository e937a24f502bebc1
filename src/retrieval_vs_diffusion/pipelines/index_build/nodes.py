"""Nodes that embed the pool and the validation images, and make the pool searchable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.models.clip import Clip
    from retrieval_vs_diffusion.models.embeddings import Embeddings, EmbeddingStream
    from retrieval_vs_diffusion.models.vector_index import VectorIndex


def embed(images: ImageTable, clip: Clip, compute: dict[str, Any]) -> Embeddings | EmbeddingStream:
    """Embed all images, of any size, with CLIP's image tower; of a pool of links the embeddings that it came with."""
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.models.embedding import embed_table

    return embed_table(images, clip.to(choose_device(**compute)))


def build_index(
    index_digest: str | None, embeddings: Embeddings, images: ImageTable, settings: dict[str, Any]
) -> VectorIndex:
    """Index the embeddings for search by inner product, or take the index that they came with.

    Args:
        index_digest: hash of the file that ``settings`` names. Nothing reads it here; being bound, it makes a file
            with other content count as another node.
    """
    from retrieval_vs_diffusion.models import vector_index
    from retrieval_vs_diffusion.models.index_settings import IndexSettings

    asked = IndexSettings.model_validate({**settings, "path": settings.get("path") or images.ledger.get("index")})
    return vector_index.build_index(embeddings, asked)


def check_index(
    index: VectorIndex,
    embeddings: Embeddings,
    clip: Clip,
    class_names: list[str],
    val: Embeddings,
    settings: dict[str, Any],
    compute: dict[str, Any],
) -> dict[str, Any]:
    """How much of what exact search finds the index finds, for queries by class name and by validation image."""
    import logging

    import numpy as np

    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.models.index_recall import measure_recall
    from retrieval_vs_diffusion.models.index_settings import IndexSettings

    asked = IndexSettings.model_validate(settings)
    names = class_names[: asked.recall_queries]
    texts = clip.to(choose_device(**compute)).embed_texts([f"a photo of a {name}" for name in names])
    queries = {"by_text": texts, "by_image": val.rows(np.arange(min(len(val), asked.recall_queries)))}
    measured = {kind: measure_recall(index, embeddings, each, asked.recall_at) for kind, each in queries.items()}
    logging.getLogger(__name__).info(
        "Index %s: recall@%d against exact search %.3f by text and %.3f by image",
        index.described,
        asked.recall_at,
        measured["by_text"]["recall"],
        measured["by_image"]["recall"],
    )
    return {"broken_embeddings": embeddings.broken, "embedding_seconds": embeddings.seconds, **measured}
