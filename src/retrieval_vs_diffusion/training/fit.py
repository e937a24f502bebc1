"""Training one classifier on original and added images."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.squares import training_squares
from retrieval_vs_diffusion.models.classifier import Classifier, create_network, to_input
from retrieval_vs_diffusion.models.out_of_memory import told
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.training.augmentation import random_resized_crop
from retrieval_vs_diffusion.training.batches_ahead import BatchesAhead
from retrieval_vs_diffusion.training.mixing import MixedBatches
from retrieval_vs_diffusion.training.recipe import ClassifierTraining
from retrieval_vs_diffusion.training.resized_crop import draw_boxes, resized_crops
from retrieval_vs_diffusion.training.resumable import Resumable
from retrieval_vs_diffusion.training.strong_augmentation import change_each_image, cut_and_mix


@dataclass(frozen=True)
class Fitted:
    """A trained classifier and how it went.

    Args:
        classifier: the state at the best validation look.
        history: a row a validation look: ``step``, ``train_loss``, ``val_loss``, ``val_top1``, ``kept``,
            and ``seconds`` since the start.
    """

    classifier: Classifier
    history: pd.DataFrame


# Another batch size would be another training: it is not lowered silently.
@told("lower classifier.batch_size or classifier.image_size, for all rows alike, or take device: cpu")
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
) -> Fitted:
    """Train for a fixed number of steps and keep the best of the validation looks.

    Ties in accuracy are broken by validation loss. Steps, schedule and looks are the same however many
    images are added. Each look is kept: a run that was killed goes on after the last one.

    Raises:
        UserError: if the loss is no number any more, a GPU is out of memory, or the recipe names a model or file
            that will not do.
    """
    started = time.perf_counter()
    torch.manual_seed(seed)
    network = create_network(recipe.model, len(class_names), recipe.init)
    network = network.to(device, memory_format=torch.channels_last)  # a third faster for small images on a CPU
    tables = [originals] if added is None or not len(added) else [originals, added]
    images = training_squares(tables, recipe.image_size)
    labels = torch.from_numpy(np.concatenate([table.labels() for table in tables])).to(device)
    val_images = training_squares([val], recipe.image_size)
    val_labels = torch.from_numpy(val.labels()).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=recipe.steps)
    generator = torch.Generator().manual_seed(seed)
    # One of its own: batches and crops are the same with strong augmentation and without.
    strong = torch.Generator().manual_seed(derive_seed(seed, "strong augmentation"))
    n, extra = len(originals), len(images) - len(originals)
    batches = MixedBatches(n, extra, recipe.batch_size, recipe.added_share, mix, generator)
    looks = {round(recipe.steps * (i + 1) / recipe.validation_looks) for i in range(recipe.validation_looks)}

    history: list[dict[str, float]] = []
    best, best_state, running = (-1.0, 0.0), network.state_dict(), 0.0
    stateful = {"network": network, "optimiser": optimiser, "schedule": schedule, "batches": batches}
    resumable = Resumable("classifier", stateful, [generator, strong])
    if kept := resumable.restore():
        history, best, best_state = kept["history"], tuple(kept["best"]), kept["best_state"]
        started -= history[-1]["seconds"]
    done = int(history[-1]["step"]) if history else 0
    resized = recipe.crop == "resized"
    ahead = BatchesAhead(images, device, resized_crops if resized else None)
    val_ahead = BatchesAhead(val_images, device)

    def ask() -> None:
        batch = next(batches)
        ahead.ask(batch, _draw_boxes(len(batch), recipe, generator) if resized else None)

    for step in progress(range(done + 1, recipe.steps + 1), description):
        network.train()
        if not ahead.is_asked:
            ask()
        batch, pixels = ahead.give()
        pixels = change_each_image(pixels, recipe.augmentation, recipe.augmentation_magnitude, strong)
        changed, truth = to_input(pixels), labels[batch.to(device)]
        if not resized:
            changed = _augment(changed, recipe, generator)
        if step not in looks:  # at a look the state is kept, and drawing a batch changes it
            ask()
        if recipe.cutmix:
            changed, truth = cut_and_mix(changed, truth, len(class_names), recipe.cutmix, recipe.cutmix_alpha, strong)
        logits = network(changed.contiguous(memory_format=torch.channels_last))
        loss = functional.cross_entropy(logits, truth, label_smoothing=recipe.label_smoothing)
        running += _finite(loss.item(), step, recipe, description)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step in looks:
            accuracy, val_loss = _look(network, val_ahead, val_labels)
            _finite(val_loss, step, recipe, description)
            is_best = (accuracy, -val_loss) > best
            if is_best:
                best, best_state = (accuracy, -val_loss), copy.deepcopy(network.state_dict())
            since = step - (history[-1]["step"] if history else 0)
            figures = {"train_loss": running / since, "val_loss": val_loss, "val_top1": accuracy}
            history.append({"step": step, **figures, "kept": is_best, "seconds": time.perf_counter() - started})
            running = 0.0
            resumable.keep(history=history, best=best, best_state=best_state)
    network.load_state_dict(best_state)
    classifier = Classifier(network.eval().cpu(), recipe.model, class_names, recipe.image_size)
    return Fitted(classifier, pd.DataFrame(history))


def _augment(
    images: Float[Tensor, "n c h w"], recipe: ClassifierTraining, generator: torch.Generator
) -> Float[Tensor, "n c h w"]:
    images = random_resized_crop(images, recipe.smallest_crop_area, generator)
    if recipe.horizontal_flip:
        flipped = torch.rand(len(images), 1, 1, 1, generator=generator).to(images.device) < 0.5
        images = torch.where(flipped, images.flip(-1), images)
    return images


def _draw_boxes(n: int, recipe: ClassifierTraining, generator: torch.Generator) -> Int[Tensor, "n 5"]:
    return draw_boxes(n, recipe.image_size, recipe.smallest_crop_area, recipe.horizontal_flip, generator)


def _finite(loss: float, step: int, recipe: ClassifierTraining, description: str) -> float:
    if not math.isfinite(loss):
        raise UserError(
            f"{description} stopped at step {step}: the loss is {loss}; "
            f"lower classifier.learning_rate (found {recipe.learning_rate:g})"
        )
    return loss


@torch.inference_mode()
def _look(network: nn.Module, images: BatchesAhead, labels: Tensor) -> tuple[float, float]:
    """Accuracy and loss on validation."""
    network.eval()
    logits = torch.cat([network(to_input(pixels)) for pixels in images.each(torch.arange(len(labels)).split(256))])
    return float((logits.argmax(1) == labels).float().mean()), float(functional.cross_entropy(logits, labels))
