"""Stable Diffusion XL (Podell et al. 2023): two text encoders; one also gives a vector for the whole prompt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.diffusion_families.family import Encoded, Family
from retrieval_vs_diffusion.models.diffusion_families.single_file import SingleFile
from retrieval_vs_diffusion.models.diffusion_families.stable_diffusion import check_inputs
from retrieval_vs_diffusion.models.random_stable_diffusion import AUTOENCODER, SCHEDULER, TEXT_ENCODER, UNET
from retrieval_vs_diffusion.models.safetensors_header import Header

# As stabilityai/stable-diffusion-xl-base-1.0 publishes them. The second text encoder is open_clip's ViT-bigG-14.
BASE = SingleFile(
    name="Stable Diffusion XL",
    unet={
        **UNET,
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 2048,
        "attention_head_dim": (5, 10, 20),
        "transformer_layers_per_block": (1, 2, 10),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    vae={**AUTOENCODER, "sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True},
    text_encoders={
        "text_encoder": ("CLIPTextModel", TEXT_ENCODER),
        "text_encoder_2": (
            "CLIPTextModelWithProjection",
            {
                **TEXT_ENCODER,
                "hidden_size": 1280,
                "intermediate_size": 5120,
                "num_hidden_layers": 32,
                "num_attention_heads": 20,
                "hidden_act": "gelu",
                "projection_dim": 1280,
            },
        ),
    },
    padding={"tokenizer": "<|endoftext|>", "tokenizer_2": "!"},
    scheduler=(
        "EulerDiscreteScheduler",
        {
            "beta_start": SCHEDULER["beta_start"],
            "beta_end": SCHEDULER["beta_end"],
            "beta_schedule": SCHEDULER["beta_schedule"],
            "num_train_timesteps": 1000,
            "steps_offset": 1,
            "timestep_spacing": "leading",
        },
    ),
    arguments={"force_zeros_for_empty_prompt": True},
)


class StableDiffusionXL(Family):
    """Stable Diffusion XL's base model; no refiner."""

    name = "Stable Diffusion XL"
    pipeline = "StableDiffusionXLPipeline"
    image_to_image_pipeline = "StableDiffusionXLImg2ImgPipeline"
    parts = ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")
    with_weights = ("unet", "vae", "text_encoder", "text_encoder_2")
    # diffusers marks images where a certain package is installed: pixels would depend on it.
    loading: ClassVar[Mapping[str, Any]] = {"add_watermarker": False}
    starting_from_image: ClassVar[Mapping[str, Any]] = {"add_watermarker": False}

    def encode(self, pipeline: Any, prompt: str, device: torch.device) -> Encoded:
        """Both encoders' outputs side by side [tokens, width], and the second one's vector for the whole prompt."""
        matrix, _, vector, _ = pipeline.encode_prompt(prompt, device=device, do_classifier_free_guidance=False)
        return {"prompt_embeds": matrix[0], "pooled_prompt_embeds": vector[0]}

    def without_prompt(self, pipeline: Any, empty: Encoded) -> Encoded:
        """Zeros, where the model was trained so."""
        if not pipeline.config.force_zeros_for_empty_prompt:
            return empty
        return {name: torch.zeros_like(value) for name, value in empty.items()}

    def single_file(self, path: Path, header: Header) -> SingleFile | None:
        """Told by its two text encoders."""
        if not header.has("conditioner.embedders."):
            return None
        if not header.has("conditioner.embedders.1.model."):
            raise UserError(f"diffusion.path: {path} is Stable Diffusion XL's refiner; give the base model")
        check_inputs(path, header)
        velocity = header.metadata.get("modelspec.prediction_type", "eps").startswith("v")
        if velocity or {"v_pred", "edm_mean"} & header.shapes.keys():
            raise UserError(
                f"diffusion.path: {path} is Stable Diffusion XL trained with another prediction than noise, which the "
                "file alone does not describe; bring its directory"
            )
        return BASE
