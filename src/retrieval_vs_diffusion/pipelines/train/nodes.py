"""Nodes that train classifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from retrieval_vs_diffusion.training.recipe import ClassifierTraining

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.images.target import SubsetDraw
    from retrieval_vs_diffusion.models.classifier import Classifier
    from retrieval_vs_diffusion.models.clip import Clip


def train_classifier(
    mix: Literal["share", "union"],
    overrides: ClassifierTraining,
    init_digest: str | None,
    seed: int,
    description: str,
    subset: SubsetDraw,
    originals: float,
    added_per_original: float | None,
    reservoir: ImageTable,
    originals_per_class: list[int],
    val: ImageTable,
    class_names: list[str],
    recipe: dict[str, Any],
    compute: dict[str, Any],
    added: ImageTable | None = None,
    clip: Clip | None = None,
    processes: int = 1,
) -> tuple[Classifier, pd.DataFrame, dict[str, Any]]:
    """Train one classifier; returns it as it was at the best validation look, the looks, and what went in.

    What went in: the number of ``originals`` and of ``added`` images, and the ``cost`` of the training, with what runs
    of it spent that were killed.

    Args:
        mix: how batches are drawn from originals and added images.
        overrides: what the strategy sets of the recipe itself.
        init_digest: hash of the file that ``init`` names. Nothing reads it here; being bound, it makes
            a file with other content count as another node.
        seed: of initialisation, batches and augmentation.
        description: what is done for whom, in progress and messages.
        subset: which images of the reservoir are the originals.
        originals: times ``originals_per_class`` that so many of them are trained on, held-back ones included.
        added_per_original: train on the first so many added images for each original alone; None for all.
        clip: given where the classifier is a linear probe of it.
        processes: that train together (``compute.processes``); a probe takes one.
    """
    from retrieval_vs_diffusion.images.target import times_originals
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.pipelines.train.cost import metered_training
    from retrieval_vs_diffusion.training.fit import fit_classifier
    from retrieval_vs_diffusion.training.linear_probe import fit_linear_probe
    from retrieval_vs_diffusion.training.process_number import number_of_processes

    real = subset.first(reservoir, class_names, originals_per_class, originals)
    images = added
    if added is not None and added_per_original is not None:
        images = added.first_of_each_class(times_originals(originals_per_class, added_per_original))
    whole, device = ClassifierTraining.model_validate(recipe).overridden_by(overrides), choose_device(**compute)
    names = tuple(class_names)
    number = number_of_processes(processes, device, whole.batch_size) if clip is None else 1
    with metered_training(device, number) as cost:
        if clip is not None:
            probed = clip.to(device)
            fitted = fit_linear_probe(real, images, val, names, whole.added_share, mix, probed, description)
        else:
            fitted = fit_classifier(real, images, val, names, whole, mix, device, seed, description, number)
    spent = cost.in_all(fitted.peak_memory_bytes)
    record = {"originals": len(real), "added": len(images or ()), "cost": spent.to_dict()}
    return fitted.classifier, fitted.history, record
