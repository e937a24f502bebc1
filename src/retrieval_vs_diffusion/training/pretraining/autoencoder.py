"""Training the small autoencoder in whose latent space the diffusion runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch.nn import functional

from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.training.pretraining.settings import AutoencoderTraining
from retrieval_vs_diffusion.training.resumable import Resumable, is_checkpoint

if TYPE_CHECKING:
    from diffusers import AutoencoderKL


def train_autoencoder(
    pixels: UInt8[np.ndarray, "n h w 3"], settings: AutoencoderTraining, device: torch.device, seed: int
) -> AutoencoderKL:
    """Train with mean squared error and a weak pull of the latents to a unit Gaussian.

    Afterwards each latent channel is standardised over the training images, so that the diffusion sees
    zero mean and unit variance; the factors are folded into the 1x1 convolutions around the latents,
    so ``scaling_factor`` is 1.
    """
    from diffusers import AutoencoderKL

    torch.manual_seed(seed)
    levels = len(settings.channels)
    autoencoder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=settings.channels,
        layers_per_block=1,
        latent_channels=settings.latent_channels,
        norm_num_groups=8,
        sample_size=pixels.shape[1],
        scaling_factor=1.0,
        mid_block_add_attention=False,
    ).to(device)
    images = to_autoencoder_input(torch.from_numpy(pixels)).to(device)
    optimiser = torch.optim.AdamW(autoencoder.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, total_steps=settings.steps)
    random = np.random.default_rng(seed)
    resumable = Resumable(
        "autoencoder", {"network": autoencoder, "optimiser": optimiser, "schedule": schedule}, [random]
    )
    done = resumable.restore().get("done", 0)
    for step in progress(range(done + 1, settings.steps + 1), "training the autoencoder"):
        batch = images[random.integers(0, len(images), settings.batch_size)]
        posterior = autoencoder.encode(batch).latent_dist
        loss = functional.mse_loss(autoencoder.decode(posterior.sample()).sample, batch)
        loss = loss + settings.kl_weight * posterior.kl().mean() / posterior.mean[0].numel()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if is_checkpoint(step, settings.steps):
            resumable.keep(done=step)
    autoencoder.eval().requires_grad_(False)
    _standardise(autoencoder, encode_all(autoencoder, images))
    return autoencoder.cpu()


def to_autoencoder_input(pixels: UInt8[torch.Tensor, "n h w 3"]) -> Float[torch.Tensor, "n 3 h w"]:
    """8-bit pixels in [-1, 1], the range of diffusers' autoencoders."""
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.inference_mode()
def encode_all(autoencoder: AutoencoderKL, images: Float[torch.Tensor, "n 3 h w"]) -> Float[torch.Tensor, "n c a b"]:
    """Means of the latents of all images."""
    return torch.cat([autoencoder.encode(batch).latent_dist.mean for batch in images.split(500)])


@torch.no_grad()
def _standardise(autoencoder: AutoencoderKL, latents: Float[torch.Tensor, "n c h w"]) -> None:
    mean, deviation = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    channels = len(mean)
    after, before = autoencoder.quant_conv, autoencoder.post_quant_conv
    # The encoder's convolution gives means, then log-variances: (m - mean) / deviation, v - 2 log deviation.
    after.weight[:channels] /= deviation.view(-1, 1, 1, 1)
    after.bias[:channels] = (after.bias[:channels] - mean) / deviation
    after.bias[channels:] -= 2 * deviation.log()
    # The decoder's convolution takes z and must see z * deviation + mean.
    before.bias += (before.weight * mean.view(1, -1, 1, 1)).sum(dim=(1, 2, 3))
    before.weight *= deviation.view(1, -1, 1, 1)
