"""Stable Diffusion 1.x and 2.x (Rombach et al. 2022): one text encoder, whose output conditions a UNet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.diffusion_families.family import Encoded, Family
from retrieval_vs_diffusion.models.diffusion_families.single_file import SingleFile
from retrieval_vs_diffusion.models.random_stable_diffusion import AUTOENCODER, SCHEDULER, TEXT_ENCODER, UNET
from retrieval_vs_diffusion.models.safetensors_header import Header

VERSION_1 = SingleFile(
    name="Stable Diffusion 1.x",
    unet=UNET,
    vae=AUTOENCODER,
    text_encoders={"text_encoder": ("CLIPTextModel", TEXT_ENCODER)},
    padding={"tokenizer": "<|endoftext|>"},
    scheduler=("PNDMScheduler", SCHEDULER),
)
# As stabilityai/stable-diffusion-2-1-base publishes them; the text encoder is open_clip's ViT-H-14, one layer less.
VERSION_2 = SingleFile(
    name="Stable Diffusion 2.x",
    unet={
        **UNET,
        "cross_attention_dim": 1024,
        "attention_head_dim": (5, 10, 20, 20),
        "use_linear_projection": True,
        "upcast_attention": True,
    },
    vae=AUTOENCODER,
    text_encoders={
        "text_encoder": (
            "CLIPTextModel",
            {
                **TEXT_ENCODER,
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "num_hidden_layers": 23,
                "num_attention_heads": 16,
                "hidden_act": "gelu",
            },
        )
    },
    padding={"tokenizer": "!"},
    scheduler=(
        "DDIMScheduler",
        {
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "num_train_timesteps": 1000,
            "set_alpha_to_one": False,
            "steps_offset": 1,
            "clip_sample": False,
        },
    ),
)
_INPUT = "model.diffusion_model.input_blocks.0.0.weight"
_INPUTS = {5: "a depth-to-image", 7: "an upscaling", 8: "an instruction-following", 9: "an inpainting"}


class StableDiffusion(Family):
    """Stable Diffusion 1.x and 2.x; 2.x predicts velocity at 768 pixels, noise at 512."""

    name = "Stable Diffusion 1.x or 2.x"
    pipeline = "StableDiffusionPipeline"
    image_to_image_pipeline = "StableDiffusionImg2ImgPipeline"
    parts = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
    with_weights = ("unet", "vae", "text_encoder")
    loading: ClassVar[Mapping[str, Any]] = {"safety_checker": None, "requires_safety_checker": False}
    starting_from_image: ClassVar[Mapping[str, Any]] = {"requires_safety_checker": False}
    learns = True

    def encode(self, pipeline: Any, prompt: str, device: torch.device) -> Encoded:
        """The text encoder's output [tokens, width]."""
        return {"prompt_embeds": pipeline.encode_prompt(prompt, device, 1, False)[0][0]}

    def single_file(self, path: Path, header: Header) -> SingleFile | None:
        """Told by the text encoder: 1.x has OpenAI's, 2.x open_clip's."""
        first, second = header.has("cond_stage_model.transformer."), header.has("cond_stage_model.model.")
        if not (first or second):
            return None
        check_inputs(path, header)
        return VERSION_1 if first else _second_version(path, header)


def check_inputs(path: Path, header: Header) -> None:
    """Check that a denoiser is given nothing but noise.

    Raises:
        UserError: if it is made for something else than making images from text.
    """
    if _INPUT not in header.shapes:
        raise UserError(f"diffusion.path: {path} lacks its denoiser ({_INPUT}); bring the whole file")
    channels = header.shapes[_INPUT][1]
    if channels != 4:
        kind = _INPUTS.get(channels, f"a {channels}-channel")
        raise UserError(f"diffusion.path: {path} is {kind} model; give one that makes images from text alone")


def _second_version(path: Path, header: Header) -> SingleFile:
    """Version 2 as it was trained; the weights do not tell, and the wrong one makes noise of every image."""
    prediction = header.metadata.get("modelspec.prediction_type", "")
    described = f"{header.metadata.get('modelspec.architecture', '')} {path.name}"
    large = prediction.startswith("v") or (not prediction and "768" in described)
    small = prediction.startswith("eps") or (not prediction and "512" in described)
    if large == small:
        raise UserError(
            f"diffusion.path: {path} is Stable Diffusion 2.x, and does not say whether for 768 pixels (velocity) or "
            f"512 (noise); name it {path.stem}-768.safetensors or {path.stem}-512.safetensors, or bring its directory"
        )
    if small:
        return VERSION_2
    scheduler, settings = VERSION_2.scheduler
    return replace(
        VERSION_2,
        unet={**VERSION_2.unet, "sample_size": VERSION_2.unet["sample_size"] * 3 // 2},  # 96 for 768 pixels
        scheduler=(scheduler, {**settings, "prediction_type": "v_prediction"}),
    )
