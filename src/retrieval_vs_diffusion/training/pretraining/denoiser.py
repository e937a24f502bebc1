"""Training the small text-conditioned UNet of a Stable Diffusion pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import UInt8
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.training.pretraining.autoencoder import encode_all, to_autoencoder_input
from retrieval_vs_diffusion.training.pretraining.settings import DenoiserTraining
from retrieval_vs_diffusion.training.resumable import Resumable, is_checkpoint

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer


def train_denoiser(
    pixels: UInt8[np.ndarray, "n h w 3"],
    captions: Sequence[str],
    autoencoder: AutoencoderKL,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    settings: DenoiserTraining,
    device: torch.device,
    seed: int,
) -> StableDiffusionPipeline:
    """Train the UNet by v-prediction (Salimans and Ho 2022) on cached latents and cached captions.

    The weights are an exponential moving average; captions are dropped now and then for
    classifier-free guidance (Ho and Salimans 2022). Epsilon-prediction learned far more slowly at this size.

    Returns:
        The whole pipeline on the CPU.
    """
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

    torch.manual_seed(seed)
    autoencoder, text_encoder = autoencoder.to(device), text_encoder.to(device)
    latents = encode_all(autoencoder, to_autoencoder_input(torch.from_numpy(pixels)).to(device)).clone()
    unet = UNet2DConditionModel(
        sample_size=latents.shape[-1],
        in_channels=latents.shape[1],
        out_channels=latents.shape[1],
        layers_per_block=1,
        block_out_channels=settings.channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=text_encoder.config.hidden_size,
        attention_head_dim=4,
        norm_num_groups=8,
    ).to(device)
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    unique = sorted({*captions, ""})
    conditioning = _encode_captions(unique, tokenizer, text_encoder, device)
    positions = {caption: index for index, caption in enumerate(unique)}
    caption_of = torch.tensor([positions[caption] for caption in captions], device=device)
    averaged = _fit(unet, latents, conditioning, caption_of, positions[""], scheduler, settings, seed)
    return StableDiffusionPipeline(
        vae=autoencoder.cpu(),
        text_encoder=text_encoder.cpu(),
        tokenizer=tokenizer,
        unet=averaged.cpu().eval(),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _fit(unet, latents, conditioning, caption_of, empty, scheduler, settings, seed) -> UNet2DConditionModel:  # type: ignore[no-untyped-def]
    device = latents.device
    generator = torch.Generator().manual_seed(seed)
    average = AveragedModel(unet, multi_avg_fn=get_ema_multi_avg_fn(settings.average_decay))
    optimiser = torch.optim.AdamW(unet.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    warm_up = max(1, settings.steps // 50)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm_up, 1.0) * (1 - step / settings.steps)
    )
    unet.train()
    n, size = len(latents), settings.batch_size
    resumable = Resumable(
        "denoiser", {"network": unet, "average": average, "optimiser": optimiser, "schedule": schedule}, [generator]
    )
    done = resumable.restore().get("done", 0)
    for step in progress(range(done + 1, settings.steps + 1), "training the denoiser"):
        batch = torch.randint(n, (size,), generator=generator).to(device)
        steps = torch.randint(scheduler.config.num_train_timesteps, (size,), generator=generator).to(device)
        noise = torch.randn(latents[:size].shape, generator=generator).to(device)
        dropped = (torch.rand(size, generator=generator) < settings.caption_dropout).to(device)
        clean = latents[batch]
        caption = torch.where(dropped, empty, caption_of[batch])
        noisy = scheduler.add_noise(clean, noise, steps)
        predicted = unet(noisy, steps, encoder_hidden_states=conditioning[caption]).sample
        loss = functional.mse_loss(predicted, scheduler.get_velocity(clean, noise, steps))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(unet)
        if is_checkpoint(step, settings.steps):
            resumable.keep(done=step)
    return average.module


@torch.inference_mode()
def _encode_captions(captions, tokenizer, text_encoder, device) -> torch.Tensor:  # type: ignore[no-untyped-def]
    padding = {"padding": "max_length", "truncation": True, "max_length": tokenizer.model_max_length}
    tokens = tokenizer(captions, return_tensors="pt", **padding).input_ids.to(device)
    return torch.cat([text_encoder(part).last_hidden_state for part in tokens.split(512)]).clone()
