"""Stable Diffusion pipelines: loaded from a local directory, run image by image reproducibly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from retrieval_vs_diffusion.errors import UserError, did_you_mean
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.progress import progress

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

PRECISIONS = ("float32", "bfloat16", "float16")
_PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")


class Diffusion:
    """A Stable Diffusion pipeline whose every image depends on its own seed and prompt alone.

    The last batch is padded to the batch size, so an image is computed in the same shapes whatever
    else is made in the same run: on one machine its bytes are the same.

    Args:
        pipeline: a diffusers pipeline; its components are used as they are.
        checkpoint: what its images are labelled with.
        device: where it runs.
    """

    def __init__(self, pipeline: StableDiffusionPipeline, checkpoint: str, device: torch.device) -> None:
        self.pipeline = pipeline.to(device)
        self.pipeline.set_progress_bar_config(disable=True)
        self.checkpoint = checkpoint
        self.device = device

    def to(self, device: torch.device) -> Diffusion:
        """The same pipeline on another device."""
        return Diffusion(self.pipeline, self.checkpoint, device)

    def add_words(self, words: Mapping[str, Float[torch.Tensor, "v d"]]) -> None:
        """Teach the text encoder pseudo-words of one or more vectors (Gal et al. 2022).

        Raises:
            UserError: if the vectors are of another width than the text encoder's.
        """
        width = self.pipeline.text_encoder.config.hidden_size
        for word, vectors in words.items():
            if vectors.shape[-1] != width:
                raise UserError(
                    f"pseudo-word {word} has vectors of width {vectors.shape[-1]}, the text encoder of "
                    f"{self.checkpoint} has {width}: learn it again for this model"
                )
            self.pipeline.load_textual_inversion({word: vectors.to(self.device)})

    def text_to_image(
        self, prompts: Sequence[str], seeds: Sequence[int], sampling: Sampling, description: str = "generating"
    ) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Make one image for each prompt and seed, in their order."""
        self._use_scheduler(sampling.scheduler)
        for batch in _padded(len(prompts), sampling.batch_size, description):
            images = self.pipeline(
                prompt=[prompts[index] for index in batch],
                height=sampling.resolution,
                width=sampling.resolution,
                **self._arguments(batch, seeds, sampling),
            ).images
            yield from _to_pixels(images)[: len(set(batch))]

    def image_to_image(
        self,
        prompts: Sequence[str],
        images: Sequence[UInt8[np.ndarray, "h w 3"]],
        strength: float,
        seeds: Sequence[int],
        sampling: Sampling,
        description: str = "generating",
    ) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Noise each image partly and denoise it again (SDEdit, Meng et al. 2021; arXiv 2108.01073).

        Args:
            strength: how far into the noise, in (0, 1]; SDEdit's t0. At least one step is made.
        """
        from diffusers import StableDiffusionImg2ImgPipeline

        self._use_scheduler(sampling.scheduler)
        pipeline = StableDiffusionImg2ImgPipeline(**self.pipeline.components, requires_safety_checker=False)
        pipeline.set_progress_bar_config(disable=True)
        sources = torch.stack([torch.from_numpy(np.array(image)) for image in images]).permute(0, 3, 1, 2) / 255.0
        if sampling.resolution and sampling.resolution != sources.shape[-1]:
            size = (sampling.resolution, sampling.resolution)
            sources = torch.nn.functional.interpolate(sources, size=size, mode="bicubic", antialias=True).clamp(0, 1)
        # diffusers makes int(steps * strength) steps: with fewer than one it would fail.
        strength = min(1.0, max(strength, 1.001 / sampling.steps))
        for batch in _padded(len(prompts), sampling.batch_size, description):
            made = pipeline(
                prompt=[prompts[index] for index in batch],
                image=sources[batch].to(self.device, self.pipeline.dtype),
                strength=strength,
                **self._arguments(batch, seeds, sampling),
            ).images
            yield from _to_pixels(made)[: len(set(batch))]

    def _arguments(self, batch: list[int], seeds: Sequence[int], sampling: Sampling) -> dict[str, Any]:
        negative = sampling.negative_prompt
        return {
            "negative_prompt": None if negative is None else [negative] * len(batch),
            "num_inference_steps": sampling.steps,
            "guidance_scale": sampling.guidance_scale,
            # One generator an image, on the CPU: the same noise on every device.
            "generator": [torch.Generator().manual_seed(seeds[index]) for index in batch],
            "output_type": "np",
        }

    def _use_scheduler(self, name: str) -> None:
        import diffusers

        known = [
            each for each in dir(diffusers) if each.endswith("Scheduler") and not each.startswith(("Flax", "get_"))
        ]
        if name not in known:
            raise UserError(f'sampling.scheduler: diffusers has no "{name}"; {did_you_mean(name, known)}')
        self.pipeline.scheduler = getattr(diffusers, name).from_config(self.pipeline.scheduler.config)


def load_diffusion(path: str, precision: str = "float32") -> Diffusion:
    """Load a Stable Diffusion 1.x directory in diffusers' layout to the CPU, from safetensors alone.

    Args:
        path: the directory.
        precision: ``float32``, ``bfloat16`` or ``float16``.

    Raises:
        UserError: if the directory is not there or lacks a part, or the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise UserError(f'models.precision: found "{precision}"; {did_you_mean(precision, PRECISIONS)}')
    check_directory(Path(path))
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()  # else each added pseudo-word is explained at length
    variant = "fp16" if list(Path(path, "unet").glob("*.fp16.safetensors")) else None
    pipeline = StableDiffusionPipeline.from_pretrained(
        path,
        dtype=getattr(torch, precision),
        variant=variant,
        use_safetensors=True,
        local_files_only=True,
        safety_checker=None,
        requires_safety_checker=False,
    )
    return Diffusion(pipeline, checkpoint=Path(path).name, device=torch.device("cpu"))


def check_directory(path: Path) -> None:
    """Check that a Stable Diffusion directory is whole before anything is loaded from it.

    Raises:
        UserError: naming what is missing.
    """
    if not path.is_dir():
        raise UserError(f"diffusion model: there is no directory {path}; give one in diffusers' layout")
    if not (path / "model_index.json").is_file():
        raise UserError(f"diffusion model {path} lacks model_index.json; it must be in diffusers' layout")
    try:
        declared = json.loads((path / "model_index.json").read_text())
    except ValueError as error:
        raise UserError(
            f"diffusion model {path}: model_index.json is no JSON ({error}); bring the file again"
        ) from error
    for part in _PARTS:
        if part not in declared or not (path / part).is_dir():
            raise UserError(f"diffusion model {path} lacks its part {part}/; a whole one holds {', '.join(_PARTS)}")
    for part in ("unet", "vae", "text_encoder"):
        if not list((path / part).glob("*.safetensors")):
            pickles = [file.name for file in (path / part).glob("*.bin")]
            found = (
                f"found {pickles[0]}, a pickle, which can run code when read; convert it"
                if pickles
                else "none is there"
            )
            raise UserError(f"diffusion model {path}: {part}/ needs a .safetensors file, {found}")


def _padded(n: int, batch_size: int, description: str) -> Iterator[list[int]]:
    """Positions 0 to n - 1 in batches of one size; the last is filled up with its last position."""
    for start in progress(range(0, n, batch_size), description, total=-(-n // batch_size)):
        batch = list(range(start, min(start + batch_size, n)))
        yield batch + [batch[-1]] * (batch_size - len(batch))


def _to_pixels(images: Float[np.ndarray, "n h w 3"]) -> UInt8[np.ndarray, "n h w 3"]:
    """Images in [0, 1] as 8-bit pixels; what is not finite becomes black, which the screening refuses."""
    return (np.nan_to_num(images, nan=0.0, posinf=0.0, neginf=0.0).clip(0, 1) * 255).round().astype(np.uint8)
