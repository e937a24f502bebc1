"""How well pseudo-words fit images that nobody learned from: the denoising loss, at noise that is the same for all."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.training.denoising import LatentImages, _losses
from retrieval_vs_diffusion.training.pseudo_words import PseudoWords

NOISE_LEVELS = 8


@torch.no_grad()
def loss_on(diffusion: Diffusion, table: PseudoWords, ids: Int[torch.Tensor, "n l"], images: LatentImages) -> float:
    """Mean loss at evenly spread noise levels; an image's noise depends on its class and number alone."""
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler.from_config(diffusion.pipeline.scheduler.config)
    conditions, total = table.encode(ids), 0.0
    seen: dict[int, int] = {}
    for position, label in enumerate(images.labels.tolist()):
        number = seen[label] = seen.get(label, -1) + 1
        generator = torch.Generator().manual_seed(1000 * label + number)
        clean = images.latents[position].expand(NOISE_LEVELS, -1, -1, -1)
        levels = (torch.arange(NOISE_LEVELS) + 0.5) / NOISE_LEVELS
        times = (levels * scheduler.config.num_train_timesteps).long()
        shown = conditions[position].expand(NOISE_LEVELS, -1, -1)
        total += _losses(diffusion, scheduler, clean, shown, generator, times).mean().item()
    return total / len(images.labels)


def of_classes(images: ImageTable, labels: list[int], at_most: int | None = None) -> ImageTable:
    """The images of some classes, at most so many of each."""
    found = images.labels()
    return images.take(np.concatenate([np.flatnonzero(found == label)[:at_most] for label in labels]))
