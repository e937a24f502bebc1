"""Training the judge: a classifier on the pool's true labels, which measures label agreement."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import nn
from torch.nn import functional

from retrieval_vs_diffusion.models.classifier import to_input
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.training.augmentation import ManyLooks
from retrieval_vs_diffusion.training.pretraining.photograph_looks import PhotographLooks
from retrieval_vs_diffusion.training.pretraining.settings import JudgeTraining
from retrieval_vs_diffusion.training.resumable import Resumable, is_checkpoint


def train_judge(
    pixels: UInt8[np.ndarray, "n h w 3"],
    true_labels: Int[np.ndarray, " n"],
    classes: int,
    settings: JudgeTraining,
    device: torch.device,
    seed: int,
) -> nn.Module:
    """Train on pool images whose true class is known, changed strongly so that their look does not matter.

    Target images are never used: the judge must know their look from the changes alone.
    """
    import timm

    from retrieval_vs_diffusion.models import small_convnet  # noqa: F401  (registers the default model)

    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    judge = timm.create_model(settings.model, num_classes=classes).to(device).train()
    images, labels = torch.from_numpy(pixels), torch.from_numpy(true_labels).to(device)
    optimiser = torch.optim.AdamW(judge.parameters(), lr=settings.learning_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, total_steps=settings.steps)
    change = ManyLooks() if settings.looks == "digits" else PhotographLooks(settings.smallest_crop_area)
    resumable = Resumable("judge", {"network": judge, "optimiser": optimiser, "schedule": schedule}, [generator])
    done = resumable.restore().get("done", 0)
    for step in progress(range(done + 1, settings.steps + 1), "training the judge"):
        batch = torch.randint(len(images), (settings.batch_size,), generator=generator)
        changed = change(images[batch].permute(0, 3, 1, 2).float() / 255, generator)
        logits = judge(to_input(changed.permute(0, 2, 3, 1) * 255).to(device))
        loss = functional.cross_entropy(logits, labels[batch.to(device)], label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if is_checkpoint(step, settings.steps):
            resumable.keep(done=step)
    return judge.eval().cpu()
