"""Nodes that train classifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.images.target import SubsetDraw
    from retrieval_vs_diffusion.models.classifier import Classifier


def train_classifier(
    mix: Literal["share", "union"],
    seed: int,
    description: str,
    subset: SubsetDraw,
    reservoir: ImageTable,
    train_per_class: int,
    val: ImageTable,
    class_names: list[str],
    recipe: dict[str, Any],
    compute: dict[str, Any],
    added: ImageTable | None = None,
) -> tuple[Classifier, pd.DataFrame]:
    """Train one classifier; returns it as it was at the best validation look, and the looks."""
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.training.fit import fit_classifier
    from retrieval_vs_diffusion.training.recipe import ClassifierTraining

    originals = subset.train(reservoir, class_names, train_per_class)
    checked, device = ClassifierTraining.model_validate(recipe), choose_device(**compute)
    fitted = fit_classifier(originals, added, val, tuple(class_names), checked, mix, device, seed, description)
    return fitted.classifier, fitted.history
