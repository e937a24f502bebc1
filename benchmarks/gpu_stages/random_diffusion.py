"""Stable Diffusion 1.4's shape with random weights, as a directory that anything of diffusers loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_stages.place import Place

CONTRAST = 0.5  # standard deviation of decoded pixels in [-1, 1], about a photograph's

_TINY_UNET: dict[str, Any] = {"sample_size": 8, "block_out_channels": (32, 64), "layers_per_block": 1}
_TINY_UNET |= {"down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"), "cross_attention_dim": 32}
_TINY_UNET |= {"up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"), "attention_head_dim": 4}
_TINY_AUTOENCODER: dict[str, Any] = {"sample_size": 64, "block_out_channels": (32, 32, 64, 64), "layers_per_block": 1}
_TINY_TEXT_ENCODER: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
_TINY_TEXT_ENCODER |= {"num_attention_heads": 4, "projection_dim": 32}


def diffusion_folder(place: Place) -> Path:
    """Where the model is; written by the first who asks.

    The weights are those that bfloat16 can hold, so that models of both precisions have the same.
    """
    folder = place.folder / ("tiny-diffusion" if place.tiny else "stable-diffusion")
    if not folder.exists():
        _pipeline(place).to(torch.bfloat16).save_pretrained(folder)
    return folder


def _pipeline(place: Place) -> Any:
    from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from retrieval_vs_diffusion.models.diffusion_families.clip_vocabulary import clip_tokenizer
    from retrieval_vs_diffusion.models.random_stable_diffusion import AUTOENCODER, SCHEDULER, TEXT_ENCODER, UNET

    tiny = place.tiny
    torch.manual_seed(0)
    with place.device:  # a billion random numbers take a CPU half a minute
        unet = UNet2DConditionModel(**{**UNET, **(_TINY_UNET if tiny else {})})
        vae = AutoencoderKL(**{**AUTOENCODER, **(_TINY_AUTOENCODER if tiny else {})})
        text_encoder = CLIPTextModel(CLIPTextConfig(**{**TEXT_ENCODER, **(_TINY_TEXT_ENCODER if tiny else {})}))
    parts = {"unet": unet, "vae": vae, "text_encoder": text_encoder}
    for part in parts.values():
        part.eval().to(place.device)
    _scale_outputs(unet, vae, place.device)
    return StableDiffusionPipeline(
        **parts,
        tokenizer=clip_tokenizer(),
        scheduler=PNDMScheduler(**SCHEDULER),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


@torch.no_grad()
def _scale_outputs(unet: Any, vae: Any, device: torch.device) -> None:
    """Scale the last layers, so that outputs are as large as a trained model's.

    Else the noise predicted is next to none, and what prompts do to it less; images are grey, and rounding to 8 bits
    hides what remains.
    """
    channels, side = unet.config.in_channels, unet.config.sample_size
    noise = torch.randn(2, channels, side, side, device=device)
    shown = torch.randn(2, 77, unet.config.cross_attention_dim, device=device)
    unet.conv_out.bias.zero_()
    unet.conv_out.weight.div_(unet(noise, 500, encoder_hidden_states=shown).sample.std())
    last = vae.decoder.conv_out
    last.weight.mul_(CONTRAST / vae.decode(noise).sample.std(dim=(2, 3)).mean())
    last.bias.sub_(vae.decode(noise).sample.mean((0, 2, 3)))  # grey on the average
