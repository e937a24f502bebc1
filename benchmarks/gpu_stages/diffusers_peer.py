"""The peer of the generation rows: diffusers' own pipelines, as its documentation uses them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_stages.place import Place
from benchmarks.gpu_stages.prompted import STRENGTH, Image, Prompted


class DiffusersPeer:
    """Pipelines on the device, with the scheduler that ours has.

    Args:
        folder: the model.
        place: where they run.
        precision: of all of it.
    """

    def __init__(self, folder: Path, place: Place, precision: str) -> None:
        from diffusers import DPMSolverMultistepScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

        no_checker = {"safety_checker": None, "requires_safety_checker": False}
        pipeline = StableDiffusionPipeline.from_pretrained(
            folder, dtype=getattr(torch, precision), local_files_only=True, **no_checker
        )
        pipeline.to(place.device)
        starting_from_image = StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
        self._pipelines: dict[str, Any] = {"text_to_image": pipeline, "image_to_image": starting_from_image}
        for each in self._pipelines.values():
            each.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
            each.set_progress_bar_config(disable=True)
        self._place = place

    def make(self, kind: str, asked: Prompted) -> list[Image]:
        """All images in one call, up to the pixel array."""
        further = {}
        if kind == "image_to_image":
            starts = torch.from_numpy(np.stack(asked.starts)).permute(0, 3, 1, 2) / 255
            further = {"image": starts, "strength": STRENGTH}
        images = self._pipelines[kind](
            asked.prompts,
            num_inference_steps=asked.steps,
            guidance_scale=asked.guidance_scale,
            generator=[torch.Generator().manual_seed(seed) for seed in asked.seeds],
            output_type="np",
            **further,
        ).images
        return list((images * 255).round().astype(np.uint8))

    @torch.inference_mode()
    def best_batch(self, batches: Sequence[int]) -> int:
        """With how many images at once the denoiser takes the least time for one."""
        unet = self._pipelines["text_to_image"].unet
        side = unet.config.sample_size
        made_of = {"device": unet.device, "dtype": unet.dtype}
        seconds = {}
        for n in batches:
            noise = torch.randn(2 * n, unet.config.in_channels, side, side, **made_of)
            shown = torch.randn(2 * n, 77, unet.config.cross_attention_dim, **made_of)

            def denoise(noise: torch.Tensor = noise, shown: torch.Tensor = shown) -> None:
                unet(noise, 500, encoder_hidden_states=shown)

            denoise()
            seconds[n] = min(self._place.timed(denoise, n) for _ in range(3))
        return min(seconds, key=seconds.__getitem__)

    def compile(self) -> None:
        """Compile as diffusers' page on speed does, but without the search for kernels, which outlasts this script."""
        pipeline = self._pipelines["text_to_image"]
        pipeline.unet.to(memory_format=torch.channels_last)
        pipeline.vae.to(memory_format=torch.channels_last)
        whole = not self._place.tiny  # a whole graph cannot be asked for where compilation is switched off
        pipeline.unet = torch.compile(pipeline.unet, fullgraph=whole)
        pipeline.vae.decode = torch.compile(pipeline.vae.decode, fullgraph=whole)
