"""What a set of added images is worth, measured before anything is trained on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from retrieval_vs_diffusion.comparison.copying import nearest_in_pool
from retrieval_vs_diffusion.comparison.kernel_inception_distance import kernel_inception_distance
from retrieval_vs_diffusion.comparison.label_agreement import measure_label_agreement
from retrieval_vs_diffusion.comparison.variety import diversity, near_duplicate_share
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.near_duplicates import THUMBNAIL, thumbnail
from retrieval_vs_diffusion.images.square import square
from retrieval_vs_diffusion.models.classifier import Classifier
from retrieval_vs_diffusion.models.clip import Clip
from retrieval_vs_diffusion.models.vector_index import Embeddings, VectorIndex

_AT_ONCE = 256  # images; as many as CLIP takes in a batch
_NO_THUMBNAILS = np.zeros((0, THUMBNAIL, THUMBNAIL), np.uint8)
_OF_GENERATED = ("nearest_pool_mean", "nearest_pool_max", "copied_share")


def measure_set_quality(
    images: ImageTable,
    class_names: tuple[str, ...],
    clip: Clip,
    val: Embeddings,
    near_duplicate_from: float,
    device: torch.device,
    judge: Classifier | None = None,
    pool: ImageTable | None = None,
    index: VectorIndex | None = None,
    shown_names: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    """Measure a set against the target's validation images, against itself and against the pool.

    Args:
        images: the added images, of any size, with labels.
        class_names: the target's classes.
        clip: on its device; each image is embedded once.
        val: embeddings of the target's validation images; test images are never looked at.
        near_duplicate_from: correlation of thumbnails from which two images are near-duplicates.
        device: where the judge runs.
        judge: for label agreement, where there is one.
        pool: for images that were generated; without it nothing is said of copying.
        index: over the pool.
        shown_names: what prompts call the classes, where that is not what the target calls them.

    Returns:
        ``label_agreement`` and ``agreement_by``; ``kid`` to the validation images; ``diversity`` and
        ``near_duplicate_share`` within classes; and of the generated images alone ``nearest_pool_mean``,
        ``nearest_pool_max`` and ``copied_share``. None where the images are too few, or none are generated.

    Raises:
        ValueError: if embeddings are of another CLIP model, or the judge knows other classes.
    """
    for name, made_by in (("validation images", val), ("pool", index)):
        if made_by is not None and made_by.clip_name != clip.name:
            raise ValueError(f"the {name} were embedded by {made_by.clip_name}, the added images by {clip.name}")
    embeddings, grey = _looked_at(images, clip) if len(images) else (val.vectors[:0], _NO_THUMBNAILS)
    labels = images.labels()
    whole, of_val = embeddings.any(axis=1), val.in_memory()  # broken embeddings are zeros, which are like nothing
    figures = {
        **measure_label_agreement(images, embeddings, class_names, judge, clip, device, shown_names),
        "kid": kernel_inception_distance(embeddings[whole], of_val[of_val.any(axis=1)]),
        "diversity": diversity(embeddings[whole], labels[whole]),
        "near_duplicate_share": near_duplicate_share(grey, labels, near_duplicate_from),
        **dict.fromkeys(_OF_GENERATED),
    }
    generated = np.flatnonzero([checkpoint is not None for checkpoint in images.column("checkpoint")])
    if pool is not None and index is not None and len(index) and len(generated):
        figures |= nearest_in_pool(
            grey[generated], embeddings[generated], pool, index, clip.image_size, near_duplicate_from
        )
    return figures


def _looked_at(images: ImageTable, clip: Clip) -> tuple[Float[np.ndarray, "n d"], UInt8[np.ndarray, "n 16 16"]]:
    """Embeddings and thumbnails of all images; the pixels of few are in memory."""
    embeddings, grey = [], []
    for batch in images.batches(_AT_ONCE):
        squares = [square(codec.decode(data), clip.image_size) for data in batch.encoded()]
        embeddings.append(clip.embed_images(np.stack(squares), _AT_ONCE))
        grey += [thumbnail(each) for each in squares]
    return np.concatenate(embeddings), np.stack(grey)
