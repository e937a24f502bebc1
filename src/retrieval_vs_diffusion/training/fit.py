"""Training one classifier on original and added images."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.squares import training_squares
from retrieval_vs_diffusion.models.classifier import Classifier
from retrieval_vs_diffusion.models.out_of_memory import told
from retrieval_vs_diffusion.training.process_number import number_of_processes
from retrieval_vs_diffusion.training.recipe import ClassifierTraining
from retrieval_vs_diffusion.training.together import Alone
from retrieval_vs_diffusion.training.training_loop import Training, train
from retrieval_vs_diffusion.unfinished import unfinished

# Of a GPU out of memory. Another batch size would be another training: it is not lowered silently.
REMEDY = (
    "lower classifier.batch_size or classifier.image_size, or take classifier.precision: bfloat16, for all rows alike, "
    "or take device: cpu"
)


@dataclass(frozen=True)
class Fitted:
    """A trained classifier and how it went.

    Args:
        classifier: the state at the best validation look.
        history: a row a validation look: ``step``, ``train_loss``, ``val_loss``, ``val_top1``, ``kept``,
            and ``seconds`` since the start.
        processes: that trained it.
        peak_memory_bytes: of the GPU of another process that trained it; None where there was none.
    """

    classifier: Classifier
    history: pd.DataFrame
    processes: int = 1
    peak_memory_bytes: int | None = None


@told(REMEDY)
def fit_classifier(
    originals: ImageTable,
    added: ImageTable | None,
    val: ImageTable,
    class_names: tuple[str, ...],
    recipe: ClassifierTraining,
    mix: Literal["share", "union"],
    device: torch.device,
    seed: int,
    description: str = "training the classifier",
    processes: int = 1,
) -> Fitted:
    """Train for a fixed number of steps and keep the best of the validation looks.

    Ties in accuracy are broken by validation loss. Steps, schedule and looks are the same however many
    images are added. Each look is kept: a run that was killed goes on after the last one.

    Args:
        originals: labelled images.
        added: what a strategy added to them.
        val: what is looked at.
        class_names: by label.
        recipe: how it is trained.
        mix: how batches are drawn from originals and added images.
        device: where.
        seed: of initialisation, batches and augmentation.
        description: what is done for whom, in progress and messages.
        processes: that share every batch (docs/several_gpus.md); 0 for one on each GPU. What is learned is the same but
            for rounding (to 8 bits in bfloat16), and for what the network itself draws, such as dropout.

    Raises:
        UserError: if the loss is no number any more, a GPU is out of memory, the recipe names a model or file
            that will not do, there cannot be so many processes, or one of them was killed.
    """
    started = time.perf_counter()
    number = number_of_processes(processes, device, recipe.batch_size)
    tables = [originals] if added is None or not len(added) else [originals, added]
    training = Training(
        images=training_squares(tables, recipe.image_size),
        labels=np.concatenate([table.labels() for table in tables]),
        originals=len(originals),
        val_images=training_squares([val], recipe.image_size),
        val_labels=val.labels(),
        classes=len(class_names),
        recipe=recipe,
        mix=mix,
        seed=seed,
        description=description,
    )
    section, peak = unfinished().section("classifier"), None
    if number == 1:
        network, history = train(training, device, Alone(), section, started)
    else:
        from retrieval_vs_diffusion.training.several_processes import train_in_processes

        network, history, peak = train_in_processes(training, device, number, section, started)
    classifier = Classifier(network.eval().cpu(), recipe.model, class_names, recipe.image_size)
    return Fitted(classifier, history, number, peak)
