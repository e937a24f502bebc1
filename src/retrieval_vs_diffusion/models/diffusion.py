"""A diffusion model of any family, run image by image reproducibly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, UInt8

from retrieval_vs_diffusion.images.square import square
from retrieval_vs_diffusion.models.bare_pipeline import bare
from retrieval_vs_diffusion.models.compiled import CompiledDenoiser
from retrieval_vs_diffusion.models.diffusion_families import family_of_pipeline
from retrieval_vs_diffusion.models.diffusion_families.family import Encoded
from retrieval_vs_diffusion.models.generated_pixels import GeneratedPixels
from retrieval_vs_diffusion.models.learned_weights import (
    check_low_rank_weights,
    check_width,
    load_denoiser,
    merge_low_rank_weights,
)
from retrieval_vs_diffusion.models.offload import Placement, tell_where_left_out
from retrieval_vs_diffusion.models.out_of_memory import SmallerBatches
from retrieval_vs_diffusion.models.prompt_encoder import PromptEncoder
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.models.schedulers import make_scheduler
from retrieval_vs_diffusion.progress import progress

_REMEDY = (
    "diffusion.precision: float16, diffusion.attention_slicing: true, diffusion.offload: model (or sequential), a "
    "smaller sampling.resolution or device: cpu would do"
)

# What an image is conditioned on: a prompt, or what stands in place of the text encoder's output for it.
Condition: TypeAlias = str | Float[torch.Tensor, "l d"]


class Diffusion:
    """A diffusion pipeline whose every image depends on its own seed and condition alone.

    The last batch is padded to the batch size and each prompt is encoded by itself, so an image is
    computed in the same shapes whatever else is made in the same run: on one machine its bytes are the
    same. Where a GPU has no memory for a batch it is halved, from there on; its images are then those of the
    smaller batch size, which differ in the last bits.

    Args:
        pipeline: a diffusers pipeline; its components are used as they are.
        checkpoint: what its images are labelled with.
        device: where it runs.
        offload: ``model`` or ``sequential``: what of it a GPU holds at a time; None for everything.
        compiled: what the denoiser runs as while images are sampled; None for as it is.

    Attributes:
        prompts: encodes them, each once.

    Raises:
        UserError: if no family is known for the pipeline.
    """

    def __init__(
        self,
        pipeline: Any,
        checkpoint: str,
        device: torch.device,
        offload: str | None = None,
        compiled: CompiledDenoiser | None = None,
    ) -> None:
        self.family = family_of_pipeline(pipeline)
        self.pipeline = pipeline
        self.pipeline.set_progress_bar_config(disable=True)
        self.checkpoint = checkpoint
        self.device = device
        self._offload, self._compiled = offload, compiled
        self._placement = Placement(pipeline, device, offload)
        self.prompts = PromptEncoder(pipeline, self.family, checkpoint, device)
        self._fitting: dict[tuple[type, int, int], SmallerBatches] = {}
        self._to_pixels = GeneratedPixels(checkpoint)

    def to(self, device: torch.device) -> Diffusion:
        """The same pipeline on another device."""
        tell_where_left_out(device, self._offload)
        return Diffusion(self.pipeline, self.checkpoint, device, self._offload, self._compiled)

    def __reduce__(self) -> tuple[Any, ...]:
        """As another process makes it again, with the prompts that are encoded; meters stay here."""
        with self._placement.whole(self.pipeline):
            pipeline = bare(self.pipeline)
        return _arrived, ((pipeline, self.checkpoint, self.device, self._offload, self._compiled), self.prompts.encoded)

    @property
    def image_size(self) -> int:
        """Pixels a side of the images that the model was trained on."""
        return int(self.pipeline.unet.config.sample_size * self.pipeline.vae_scale_factor)

    def encode(self, prompt: str) -> Float[torch.Tensor, "l d"]:
        """The text encoder's output for a prompt, kept for the next time.

        Raises:
            UserError: if the family's prompts are more than one matrix.
        """
        self.family.check_learns("conditioning vectors and fine-tuned denoisers", self.checkpoint)
        return self.prompts.encode(prompt)["prompt_embeds"]

    def add_words(self, words: Mapping[str, Float[torch.Tensor, "v d"]]) -> None:
        """Teach the text encoder pseudo-words of one or more vectors (Gal et al. 2022).

        Raises:
            UserError: if the vectors are of another width than the text encoder's, or it has more than one.
        """
        self.family.check_learns("pseudo-words", self.checkpoint)
        width = self.pipeline.text_encoder.config.hidden_size
        for word, vectors in words.items():
            check_width(f"pseudo-word {word} has vectors", vectors.shape[-1], width, self.checkpoint)
        with self._placement.whole(self.pipeline):
            # All at once: each call makes the whole table of embeddings anew.
            self.pipeline.load_textual_inversion([{word: vectors.to(self.device)} for word, vectors in words.items()])
        self.prompts.forget()

    def add_low_rank_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Merge LoRA weights, as diffusers saves them, into the UNet (Hu et al. 2021; arXiv 2106.09685).

        Raises:
            UserError: if they are of another model.
        """
        self.family.check_learns("LoRA weights", self.checkpoint)
        check_low_rank_weights(self.pipeline, weights, self.checkpoint)
        with self._placement.whole(self.pipeline):
            merge_low_rank_weights(self.pipeline, weights, self.checkpoint)

    def replace_denoiser(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Give the UNet other weights.

        Raises:
            UserError: if they are of another model.
        """
        self.family.check_learns("fine-tuned denoisers", self.checkpoint)
        with self._placement.whole(self.pipeline):
            load_denoiser(self.pipeline, weights, self.checkpoint)

    def text_to_image(
        self, conditions: Sequence[Condition], seeds: Sequence[int], sampling: Sampling, description: str | None = None
    ) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Make one image for each condition and seed, in their order; a description has its progress shown."""
        self._use(self.pipeline, sampling)

        def further(_: list[int]) -> dict[str, Any]:
            return {"height": sampling.resolution, "width": sampling.resolution}

        for batch in _batches(len(conditions), sampling.batch_size, description):
            yield from self._make(self.pipeline, batch, conditions, seeds, sampling, further)

    def image_to_image(
        self,
        conditions: Sequence[Condition],
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        strength: float,
        seeds: Sequence[int],
        sampling: Sampling,
        description: str | None = None,
    ) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Noise each image partly and denoise it again (SDEdit, Meng et al. 2021; arXiv 2108.01073).

        Args:
            images: of any sizes; they become squares of the resolution asked for.
            strength: how far into the noise, in (0, 1]; SDEdit's t0. At least one step is made.
        """
        pipeline = self.family.image_to_image(self.pipeline)
        self._use(pipeline, sampling)
        # diffusers makes int(steps * strength) steps: with fewer than one it would fail.
        strength = min(1.0, max(strength, 1.001 / sampling.steps))
        size = sampling.resolution or self.image_size

        def further(positions: list[int]) -> dict[str, Any]:
            squares = torch.from_numpy(np.stack([square(images[index], size) for index in positions]))
            starts = (squares.permute(0, 3, 1, 2) / 255.0).to(self.device, self.pipeline.dtype)
            return {"image": starts, "strength": strength}

        for batch in _batches(len(conditions), sampling.batch_size, description):
            yield from self._make(pipeline, batch, conditions, seeds, sampling, further)

    def _make(
        self,
        pipeline: Any,
        batch: list[int],
        conditions: Sequence[Condition],
        seeds: Sequence[int],
        sampling: Sampling,
        further: Callable[[list[int]], dict[str, Any]],
    ) -> UInt8[np.ndarray, "n h w 3"]:
        """The images of one batch of the schedule, all of them at once or, where memory ends, in smaller batches.

        Args:
            pipeline: one that ``_use`` made ready.
            batch: positions in ``conditions`` and ``seeds``, at most ``sampling.batch_size``.
            further: the arguments of a call of the pipeline that are not those of every kind, by positions.

        Raises:
            UserError: if the GPU has no memory for one image.
        """

        def make(positions: list[int]) -> UInt8[np.ndarray, "m h w 3"]:
            try:
                arguments = {**further(positions), **self._arguments(positions, conditions, seeds, sampling)}
                with self._compiled.instead_of(pipeline.unet) if self._compiled else nullcontext():
                    return self._to_pixels(pipeline(**arguments).images)
            except RuntimeError:
                self._placement.after_failure(pipeline)
                raise

        size = sampling.resolution or self.image_size
        key = (type(pipeline), size, sampling.batch_size)
        if key not in self._fitting:
            self._fitting[key] = SmallerBatches(f"images of {size} pixels", _REMEDY, "sampling.batch_size", padded=True)
        return self._fitting[key](make, batch, sampling.batch_size)

    def _arguments(
        self, batch: list[int], conditions: Sequence[Condition], seeds: Sequence[int], sampling: Sampling
    ) -> dict[str, Any]:
        shown = [self._shown(conditions[index]) for index in batch]
        if sampling.guidance_scale > 1:
            away = self.prompts.away_from(sampling.negative_prompt)
            shown = [{**each, **{f"negative_{name}": value for name, value in away.items()}} for each in shown]
        return {
            **{name: torch.stack([each[name] for each in shown]) for name in shown[0]},
            "num_inference_steps": sampling.steps,
            "guidance_scale": sampling.guidance_scale,
            # One generator an image, on the CPU: the same noise on every device.
            "generator": [torch.Generator().manual_seed(seeds[index]) for index in batch],
            "output_type": "np",
        }

    def _shown(self, condition: Condition) -> Encoded:
        if isinstance(condition, str):
            return self.prompts.encode(condition)
        self.family.check_learns("conditions in place of prompts", self.checkpoint)
        width = self.pipeline.unet.config.cross_attention_dim
        check_width("a condition has vectors", condition.shape[-1], width, self.checkpoint)
        return {"prompt_embeds": condition.to(self.device, self.pipeline.dtype)}

    def _use(self, pipeline: Any, sampling: Sampling) -> None:
        """Make a pipeline ready to sample."""
        pipeline.scheduler = make_scheduler(sampling.scheduler, self.pipeline.scheduler.config, self.checkpoint)
        self._placement.use(pipeline)


def _arrived(made_of: tuple[Any, ...], encoded: Mapping[str, Encoded]) -> Diffusion:
    diffusion = Diffusion(*made_of)
    diffusion.prompts.encoded.update(encoded)
    return diffusion


def _batches(n: int, batch_size: int, description: str | None) -> Iterator[list[int]]:
    """Positions 0 to n - 1 in batches."""
    starts = range(0, n, batch_size)
    for start in progress(starts, description) if description else starts:
        yield list(range(start, min(start + batch_size, n)))
