"""The steps of a classifier's training, by one process or by several together."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.kept_squares import Squares
from retrieval_vs_diffusion.models.classifier import create_network, to_input
from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.training.augmentation import random_resized_crop
from retrieval_vs_diffusion.training.batches_ahead import BatchesAhead
from retrieval_vs_diffusion.training.mixing import MixedBatches
from retrieval_vs_diffusion.training.recipe import ClassifierTraining
from retrieval_vs_diffusion.training.resized_crop import draw_boxes, resized_crops
from retrieval_vs_diffusion.training.resumable import Resumable
from retrieval_vs_diffusion.training.share import Share
from retrieval_vs_diffusion.training.strong_augmentation import change_each_image, cut_and_mix
from retrieval_vs_diffusion.training.together import Together
from retrieval_vs_diffusion.unfinished import Section

_PIXELS_LOOKED_AT = 2**20  # together: 256 images of 64 pixels, 20 of 224


@dataclass(frozen=True)
class Training:
    """All that decides what is learned.

    Args:
        images: originals, then added images.
        labels: of all of them.
        originals: how many of them are originals.
        val_images: what is looked at.
        val_labels: of those.
        classes: number of outputs.
        recipe: how it is trained.
        mix: how batches are drawn from originals and added images.
        seed: of initialisation, batches and augmentation.
        description: what is done for whom, in progress and messages.
    """

    images: Squares
    labels: Int[np.ndarray, " n"]
    originals: int
    val_images: Squares
    val_labels: Int[np.ndarray, " m"]
    classes: int
    recipe: ClassifierTraining
    mix: Literal["share", "union"]
    seed: int
    description: str


def train(
    training: Training, device: torch.device, together: Together, section: Section, started: float
) -> tuple[nn.Module, pd.DataFrame]:
    """Train; go on after the last look that is kept.

    Args:
        training: what.
        device: where.
        together: who else does. All draw the same batches and changes, and each works on its share of them.
        section: where states are kept.
        started: when, by ``time.perf_counter``.

    Returns:
        The network as it was at the best look, and the looks (``fit.Fitted``); of use in the first process alone.

    Raises:
        UserError: if the loss is no number any more.
    """
    recipe, seed, description = training.recipe, training.seed, training.description
    torch.manual_seed(seed)
    network = create_network(recipe.model, training.classes, recipe.init)
    network = network.to(device, memory_format=torch.channels_last)  # a third faster for small images on a CPU
    labels = torch.from_numpy(training.labels).to(device)
    val_labels = torch.from_numpy(training.val_labels).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=recipe.steps)
    generator = torch.Generator().manual_seed(seed)
    # One of its own: batches and crops are the same with strong augmentation and without.
    strong = torch.Generator().manual_seed(derive_seed(seed, "strong augmentation"))
    n, extra = training.originals, len(training.images) - training.originals
    batches = MixedBatches(n, extra, recipe.batch_size, recipe.added_share, training.mix, generator)
    looks = {round(recipe.steps * (i + 1) / recipe.validation_looks) for i in range(recipe.validation_looks)}
    mine = together.share(recipe.batch_size)
    made = Share.whole(recipe.batch_size) if recipe.cutmix else mine  # which mixes any two images of a batch

    history: list[dict[str, float]] = []
    best, best_state, running = (-1.0, 0.0), network.state_dict(), 0.0
    stateful = {"network": network, "optimiser": optimiser, "schedule": schedule, "batches": batches}
    resumable = Resumable("classifier", stateful, [generator, strong], section)
    if kept := resumable.restore():
        history, best, best_state = kept["history"], tuple(kept["best"]), kept["best_state"]
        started -= history[-1]["seconds"]
    done = int(history[-1]["step"]) if history else 0
    together.draw_apart(seed, done)
    logits_of = together.prepare(network)
    resized = recipe.crop == "resized"
    ahead = BatchesAhead(training.images, device, resized_crops if resized else None)
    val_ahead = BatchesAhead(training.val_images, device)
    first_looked_at, *others_looked_at = _parts_of_look(training.val_images)

    def ask() -> None:
        batch = next(batches)
        boxes = _draw_boxes(len(batch), recipe, generator)[made.positions] if resized else None
        ahead.ask(batch[made.positions], boxes)

    for step in together.steps(range(done + 1, recipe.steps + 1), description):
        network.train()
        if not ahead.is_asked:
            ask()
        batch, pixels = ahead.give()
        pixels = change_each_image(pixels, recipe.augmentation, recipe.augmentation_magnitude, strong, made)
        changed, truth = to_input(pixels), labels[batch.to(device)]
        if not resized:
            changed = _augment(changed, recipe, generator, made)
        if step not in looks:
            ask()
        elif together.is_first:  # no batch: after the look the state is kept, and drawing one changes it
            val_ahead.ask(first_looked_at)
        if recipe.cutmix:
            changed, truth = cut_and_mix(changed, truth, training.classes, recipe.cutmix, recipe.cutmix_alpha, strong)
            changed, truth = changed[mine.positions], truth[mine.positions]
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            logits = logits_of(changed.contiguous(memory_format=torch.channels_last))
        loss = functional.cross_entropy(logits.float(), truth, label_smoothing=recipe.label_smoothing)
        loss, of_all = together.of_whole_batch(loss, mine)
        running += _finite(of_all, step, recipe, description)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step in looks and together.is_first:
            accuracy, val_loss = _look(network, val_ahead, others_looked_at, val_labels)
            _finite(val_loss, step, recipe, description)
            is_best = (accuracy, -val_loss) > best
            if is_best:
                best, best_state = (accuracy, -val_loss), copy.deepcopy(network.state_dict())
            since = step - (history[-1]["step"] if history else 0)
            figures = {"train_loss": running / since, "val_loss": val_loss, "val_top1": accuracy}
            history.append({"step": step, **figures, "kept": is_best, "seconds": time.perf_counter() - started})
            running = 0.0
            resumable.keep(history=history, best=best, best_state=best_state)
        if step in looks:
            together.draw_apart(seed, step)
    network.load_state_dict(best_state)
    return network, pd.DataFrame(history)


def _augment(
    images: Float[Tensor, "n c h w"], recipe: ClassifierTraining, generator: torch.Generator, share: Share
) -> Float[Tensor, "n c h w"]:
    images = random_resized_crop(images, recipe.smallest_crop_area, generator, share)
    if recipe.horizontal_flip:
        flipped = torch.rand(share.of, 1, 1, 1, generator=generator)[share.positions].to(images.device) < 0.5
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


def _parts_of_look(images: Squares) -> Sequence[Int[Tensor, " _"]]:
    """Positions of what goes through the network together: large images few at a time, so that reading goes beside."""
    return torch.arange(len(images)).split(max(1, min(256, _PIXELS_LOOKED_AT // images.size**2)))


@torch.inference_mode()
def _look(
    network: nn.Module, asked: BatchesAhead, others: Sequence[Int[Tensor, " _"]], labels: Tensor
) -> tuple[float, float]:
    """Accuracy and loss on validation, of which the first part is asked for and the others are not."""
    network.eval()
    logits = torch.cat([network(to_input(pixels)) for pixels in asked.each(others)])
    return float((logits.argmax(1) == labels).float().mean()), float(functional.cross_entropy(logits, labels))
