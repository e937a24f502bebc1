"""Tiny models of each family of diffusion models: the family's own configuration, with few and narrow layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from retrieval_vs_diffusion.models.diffusion_families import stable_diffusion, stable_diffusion_xl
from retrieval_vs_diffusion.models.diffusion_families.clip_vocabulary import clip_tokenizer
from retrieval_vs_diffusion.models.diffusion_families.single_file import SingleFile

MERGES = 10  # of the vocabulary; with bytes, word ends and two special tokens 524 entries
NARROW = {
    "vocab_size": 256 * 2 + MERGES + 2,
    "bos_token_id": 256 * 2 + MERGES,
    "eos_token_id": 256 * 2 + MERGES + 1,
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
UNET = {
    "sample_size": 8,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "cross_attention_dim": 8,
    "attention_head_dim": 2,
}
VAE = {
    "block_out_channels": (4, 8),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
}
# The second text encoder is wider than the first, as in the model itself: 8 + 16 side by side; the vector, 16 + 6 x 4.
XL_UNET = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": 24,
    "attention_head_dim": (2, 4),
    "transformer_layers_per_block": (1, 2),
    "addition_time_embed_dim": 4,
    "projection_class_embeddings_input_dim": 16 + 6 * 4,
}


def shrink(single_file: SingleFile, **unet) -> SingleFile:
    """The same model with few and narrow layers."""
    wide = {"hidden_size": 16, "num_attention_heads": 4, "projection_dim": 16}
    return replace(
        single_file,
        unet={**single_file.unet, **UNET, **unet},
        vae={**single_file.vae, **VAE},
        text_encoders={
            name: (kind, {**settings, **NARROW, **(wide if name.endswith("_2") else {})})
            for name, (kind, settings) in single_file.text_encoders.items()
        },
    )


TINY = {
    "VERSION_1": shrink(stable_diffusion.VERSION_1),
    "VERSION_2": shrink(stable_diffusion.VERSION_2, attention_head_dim=(2, 4)),
    "BASE": shrink(stable_diffusion_xl.BASE, **XL_UNET),
}

# Names under which the models' files are known; version 2 says in no other way what it predicts.
FILES = {"VERSION_1": "sd-v1-4", "VERSION_2": "v2-1_768-ema-pruned", "BASE": "sd_xl_base_1.0"}


def file_of(folder: Path, family: str) -> Path:
    """Where a family's model is kept as one file."""
    return folder / f"{FILES[family]}.safetensors"


def make_pipeline(single_file: SingleFile, seed: int = 0):
    """A pipeline with random weights; of version 2 one that predicts velocity, which draws 24-pixel images."""
    import diffusers
    import transformers

    torch.manual_seed(seed)
    unet, (scheduler, settings) = single_file.unet, single_file.scheduler
    if single_file.name == "Stable Diffusion 2.x":
        unet, settings = {**unet, "sample_size": 12}, {**settings, "prediction_type": "v_prediction"}
    parts = {
        "unet": diffusers.UNet2DConditionModel(**unet),
        "vae": diffusers.AutoencoderKL(**single_file.vae),
        "scheduler": getattr(diffusers, scheduler)(**settings),
        **{name: clip_tokenizer(pad, MERGES) for name, pad in single_file.padding.items()},
        **{
            name: getattr(transformers, kind)(transformers.CLIPTextConfig(**each)).eval()
            for name, (kind, each) in single_file.text_encoders.items()
        },
    }
    if "text_encoder_2" in parts:
        return diffusers.StableDiffusionXLPipeline(**parts, add_watermarker=False)
    nothing = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    return diffusers.StableDiffusionPipeline(**parts, **nothing)
