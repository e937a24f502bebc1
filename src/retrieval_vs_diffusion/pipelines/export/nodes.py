"""Nodes that put together what is taken home; the catalog writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retrieval_vs_diffusion.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.images.target import SubsetDraw
    from retrieval_vs_diffusion.images.training_set import TrainingSet
    from retrieval_vs_diffusion.models.classifier import Classifier


def refuse(reason: str) -> None:
    """Say why nothing can be exported."""
    raise UserError(reason)


def gather_training_set(
    subset: SubsetDraw,
    shuffle_seed: int,
    reservoir: ImageTable,
    originals_per_class: list[int],
    class_names: list[str],
    added: ImageTable | None = None,
) -> TrainingSet:
    """The images that one repetition's classifier was trained on.

    Args:
        subset: which images of the reservoir are the originals.
        shuffle_seed: decides the order of shards.
    """
    from retrieval_vs_diffusion.images.training_set import TrainingSet

    originals = subset.train(reservoir, class_names, originals_per_class)
    return TrainingSet(tuple(class_names), originals, added, shuffle_seed)


def take_classifier(classifier: Classifier) -> Classifier:
    """The classifier as it is."""
    return classifier


def describe(about: dict[str, Any], manifest: pd.DataFrame, classifier: Classifier, history: pd.DataFrame) -> str:
    """The README that goes with it.

    Args:
        about: ``strategy``, ``description``, ``world``, ``repetition`` and ``mixing``, how batches were drawn.
        manifest: of the exported training set.
        classifier: that was trained on it.
        history: looks at validation during its training.
    """
    from retrieval_vs_diffusion.pipelines.export.readme import readme

    return readme(about, manifest, classifier, history)
