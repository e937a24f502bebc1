"""Optimising anything on the denoising loss of images: the one loop that all personalisations share."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.square import square
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.models.out_of_memory import told
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.training.learning_curve import LearningCurve
from retrieval_vs_diffusion.training.personalisation import PersonalisationTraining
from retrieval_vs_diffusion.training.resumable import Parameters, Resumable

logger = logging.getLogger(__name__)
_TIMES_AN_IMAGE = 4  # noise levels, evenly spread, at which the held-out loss of each image is measured

_out_of_memory_is_told = told(
    "lower the personalisation's training.batch_size and raise training.accumulation by as much, which learns the same "
    "but for other noise, or set training.gradient_checkpointing: true"
)

# Encoded conditions [b, l, d] of images by their positions, with gradient; `None` for a fixed choice, e.g. on a look.
ConditionsOf: TypeAlias = Callable[[Int[Tensor, " b"], torch.Generator | None], Float[Tensor, "b l d"]]


@dataclass(frozen=True)
class LatentImages:
    """Originals as latents, computed once, with their labels; some of each class are held out.

    Args:
        latents: scaled as the UNet expects them.
        labels: class of each image.
        train: positions of the images that are learned from.
        held_out: positions of the images that decide when to stop.
    """

    latents: Float[Tensor, "n c h w"]
    labels: Int[Tensor, " n"]
    train: Int[Tensor, " t"]
    held_out: Int[Tensor, " v"]


@_out_of_memory_is_told
@torch.no_grad()
def encode_originals(
    diffusion: Diffusion,
    originals: ImageTable,
    held_out_share: float,
    seed: int,
    groups: Int[Tensor, " n"] | None = None,
) -> LatentImages:
    """Encode the originals and hold out a share of each class.

    Args:
        diffusion: whose autoencoder encodes them.
        originals: of any sizes.
        held_out_share: of each class.
        seed: decides which are held out.
        groups: images that are learned together, by class where None; each keeps one to learn from.
    """
    from retrieval_vs_diffusion.images import codec

    vae, size = diffusion.pipeline.vae, diffusion.image_size
    batches = []
    encoded = list(originals.encoded())
    for start in range(0, len(encoded), 16):
        squares = [torch.from_numpy(square(codec.decode(each), size).copy()) for each in encoded[start : start + 16]]
        pixels = torch.stack(squares).permute(0, 3, 1, 2).float() / 127.5 - 1
        batches.append(vae.encode(pixels.to(diffusion.device, vae.dtype)).latent_dist.mean)
    labels = torch.from_numpy(originals.labels())
    generator = torch.Generator().manual_seed(seed)
    train: list[int] = []
    held_out: list[int] = []
    for label in labels.unique().tolist():
        members = torch.nonzero(labels == label).flatten()
        members = members[torch.randperm(len(members), generator=generator)].tolist()
        group_of = {member: int((labels if groups is None else groups)[member]) for member in members}
        left, asked = Counter(group_of.values()), round(held_out_share * len(members))
        for member in members:
            if asked and left[group_of[member]] > 1:
                held_out.append(member)
                left[group_of[member]] -= 1
                asked -= 1
            else:
                train.append(member)
    latents = torch.cat(batches) * vae.config.scaling_factor
    return LatentImages(latents, labels, torch.tensor(train), torch.tensor(held_out, dtype=torch.long))


@_out_of_memory_is_told
def optimise_denoising(
    diffusion: Diffusion,
    parameters: Sequence[torch.nn.Parameter],
    conditions_of: ConditionsOf,
    images: LatentImages,
    class_names: Sequence[str],
    training: PersonalisationTraining,
    seed: int,
    description: str,
) -> LearningCurve:
    """Lower the denoising loss (Ho et al. 2020) by changing the parameters; leaves them in their best state.

    The best state is that of the lowest held-out loss, measured at fixed noise, the initial state
    included; without held-out images it is the last one. A loss that is not finite, of a batch or on a
    look, ends the learning: the class and the step are named, and the parameters are as at the best look before.
    Each look is kept: a run that was killed goes on after the last one.

    Raises:
        UserError: if the denoiser's weights are kept elsewhere, as sequential offloading does, or a GPU is out of
            memory.
    """
    from diffusers import DDPMScheduler

    if any(weights.is_meta for weights in diffusion.pipeline.unet.parameters()):
        raise UserError(
            f"{description}: diffusion.offload: sequential keeps no weights that could be learned with; "
            "take model or null, or rows without a personalisation"
        )
    # The noise schedule of the model's training; the pipeline may hold another scheduler, for sampling.
    scheduler = DDPMScheduler.from_config(diffusion.pipeline.scheduler.config)
    if training.gradient_checkpointing:
        diffusion.pipeline.unet.enable_gradient_checkpointing()
    # Of the denoiser's own weights no gradients are kept, but for those that are learned.
    learned = {id(each) for each in parameters}
    for weights in diffusion.pipeline.unet.parameters():
        weights.requires_grad_(id(weights) in learned)
    optimiser = torch.optim.AdamW(parameters, lr=training.learning_rate)
    generator = torch.Generator().manual_seed(seed)
    look_every = -(-training.steps // training.looks)
    looks: list[dict[str, Any]] = []
    best_loss, best_state = float("inf"), [each.detach().clone() for each in parameters]
    running, since, without_gain = 0.0, 0, 0
    diverged: str | None = None

    def name_broken(losses: Tensor, positions: Tensor, step: int) -> None:
        nonlocal diverged
        broken = positions[(~torch.isfinite(losses.detach())).cpu()]
        if len(broken):
            diverged = f'class "{class_names[int(images.labels[broken[0]])]}", step {step}'

    def look(step: int) -> None:
        nonlocal best_loss, best_state, running, since, without_gain
        losses, positions = _losses_on_look(diffusion, scheduler, conditions_of, images, seed, training.batch_size)
        name_broken(losses, positions, step)
        held_out = losses.mean().item() if len(images.held_out) and diverged is None else None
        kept = diverged is None and (held_out is None or held_out < best_loss)
        if kept:
            best_loss = best_loss if held_out is None else held_out
            best_state = [each.detach().clone() for each in parameters]
        without_gain = 0 if kept else without_gain + 1
        mean = running / since if since else None
        looks.append({"step": step, "train_loss": mean, "held_out_loss": held_out, "kept": kept})
        running, since = 0.0, 0

    resumable = Resumable("learning", {"learned": Parameters(parameters), "optimiser": optimiser}, [generator])
    if state := resumable.restore():
        looks, best_loss, without_gain = state["looks"], state["best_loss"], state["without_gain"]
        best_state = [each.to(parameter) for each, parameter in zip(state["best_state"], parameters, strict=True)]
    else:
        look(0)
    first = looks[-1]["step"] + 1
    if diverged is not None or without_gain >= training.patience:
        first = training.steps + 1
    for step in progress(range(first, training.steps + 1), description):
        optimiser.zero_grad()
        for _ in range(training.accumulation):
            chosen = images.train[torch.randint(len(images.train), (training.batch_size,), generator=generator)]
            losses = _losses(diffusion, scheduler, images.latents[chosen], conditions_of(chosen, generator), generator)
            name_broken(losses, chosen, step)
            if diverged is not None:
                break
            (losses.mean() / training.accumulation).backward()
            running, since = running + losses.mean().item(), since + 1
        if diverged is not None:
            break
        optimiser.step()
        if step % look_every == 0 or step == training.steps:
            look(step)
            if diverged is None:
                resumable.keep(looks=looks, best_loss=best_loss, without_gain=without_gain, best_state=best_state)
        if diverged is not None or without_gain >= training.patience:
            break
    if diverged is not None:
        logger.warning(
            "%s: the loss is not finite (%s); the state of step %d is kept. Lower the learning rate",
            description,
            diverged,
            max((each["step"] for each in looks if each["kept"]), default=0),
        )
    with torch.no_grad():
        for parameter, state in zip(parameters, best_state, strict=True):
            parameter.copy_(state)
    return LearningCurve(looks, diverged)


@torch.no_grad()
def _losses_on_look(
    diffusion: Diffusion, scheduler: Any, conditions_of: ConditionsOf, images: LatentImages, seed: int, batch_size: int
) -> tuple[Float[Tensor, " m"], Int[Tensor, " m"]]:
    """Losses of the held-out images at fixed noise and evenly spread noise levels, and whose they are.

    Where none is held out, those of one image a class, which only tell whether they are finite.
    """
    looked_at = images.held_out if len(images.held_out) else _one_a_class(images)
    generator = torch.Generator().manual_seed(seed + 1)  # the same noise on every look
    positions = looked_at.repeat_interleave(_TIMES_AN_IMAGE)
    level = (torch.arange(_TIMES_AN_IMAGE) + 0.5) / _TIMES_AN_IMAGE
    times = (level * scheduler.config.num_train_timesteps).long().repeat(len(looked_at))
    losses = [
        _losses(diffusion, scheduler, images.latents[chosen], conditions_of(chosen, None), generator, at)
        for chosen, at in zip(positions.split(batch_size), times.split(batch_size), strict=True)
    ]
    return torch.cat(losses), positions


def _one_a_class(images: LatentImages) -> Int[Tensor, " c"]:
    labels = images.labels[images.train]
    return torch.stack([images.train[labels == label][0] for label in labels.unique()])


def _losses(
    diffusion: Diffusion,
    scheduler: Any,
    clean: Float[Tensor, "b c h w"],
    conditions: Float[Tensor, "b l d"],
    generator: torch.Generator,
    times: Int[Tensor, " b"] | None = None,
) -> Float[Tensor, " b"]:
    """Squared error of the UNet's prediction for each image, for the kind of prediction that the scheduler declares."""
    noise = torch.randn(clean.shape, generator=generator).to(clean)
    if times is None:
        times = torch.randint(scheduler.config.num_train_timesteps, (len(clean),), generator=generator)
    times = times.to(clean.device)
    velocity = scheduler.config.prediction_type == "v_prediction"
    target = scheduler.get_velocity(clean, noise, times) if velocity else noise
    unet = diffusion.pipeline.unet
    noisy = scheduler.add_noise(clean, noise, times).to(unet.dtype)
    predicted = unet(noisy, times, encoder_hidden_states=conditions.to(unet.dtype)).sample
    return functional.mse_loss(predicted.float(), target.float(), reduction="none").mean(dim=(1, 2, 3))
