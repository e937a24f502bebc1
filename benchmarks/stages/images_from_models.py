"""Many images of many classes from one diffusion model, beside diffusers' pipelines, one prompt at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from benchmarks.measuring import Measured, interleaved
from benchmarks.natural_pictures import natural_pictures, psnr
from benchmarks.rows import row
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion
from retrieval_vs_diffusion.models.sampling import Sampling

OURS = Path(__file__).parents[2] / "data" / "06_models" / "pretrained" / "diffusion"
CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
STRENGTH = 0.5
# In 8-bit values. Batches of other sizes are summed in another order, which guidance and rounding may carry to 1.
SAME = {"float32": 1.0, "bfloat16": 16.0}


@row("text_to_image", "diffusers-one-prompt", at_least=1.2)
def text_to_image(folder: Path) -> Measured:
    """The repository's own model, in single precision."""
    del folder
    return by_text(load_diffusion(str(OURS)), peer_of(OURS, "StableDiffusionPipeline"), Sampling(batch_size=30), 30)


@row("image_to_image", "diffusers-one-prompt", at_least=1.2)
def image_to_image(folder: Path) -> Measured:
    """The repository's own model, in single precision, from natural pictures."""
    del folder
    peer = peer_of(OURS, "StableDiffusionImg2ImgPipeline")
    return by_image(load_diffusion(str(OURS)), peer, Sampling(batch_size=30), 30)


@row("extra_text_to_image_bfloat16", "diffusers-one-prompt")
def text_to_image_bfloat16(folder: Path) -> Measured:
    """Both sides in bfloat16."""
    del folder
    peer = peer_of(OURS, "StableDiffusionPipeline", torch.bfloat16)
    return by_text(load_diffusion(str(OURS), "bfloat16"), peer, Sampling(batch_size=30), 30, repeats=3)


@row("extra_text_to_image_wider_model", "diffusers-one-prompt")
def text_to_image_wider_model(folder: Path) -> Measured:
    """A model of Stable Diffusion's shape with random weights, where less of the time is spent between operations."""
    write_wider_model(folder / "wider")
    peer = peer_of(folder / "wider", "StableDiffusionPipeline")
    return by_text(load_diffusion(str(folder / "wider")), peer, Sampling(steps=3, batch_size=6), 6, repeats=3)


def write_wider_model(folder: Path) -> None:
    """The repository's own with a denoiser of 160 and 320 channels, random weights and 64-pixel images."""
    import diffusers

    pipeline = peer_of(OURS, "StableDiffusionPipeline")
    torch.manual_seed(0)
    shape = {**pipeline.unet.config, "sample_size": 32, "block_out_channels": (160, 320)}
    unet = diffusers.UNet2DConditionModel.from_config(shape)
    with torch.no_grad():
        unet.conv_out.weight.mul_(20)  # random ones predict next to no noise, and prompts would not count
    diffusers.StableDiffusionPipeline(
        **{**pipeline.components, "unet": unet}, requires_safety_checker=False
    ).save_pretrained(folder)


def by_text(diffusion: Diffusion, peer: Any, sampling: Sampling, images: int, repeats: int = 5) -> Measured:
    """Time images from prompts of ten classes in turn."""
    prompts, seeds = asked(images)
    made: dict[str, list[np.ndarray]] = {}

    def ours() -> None:
        made["ours"] = list(diffusion.text_to_image(prompts, seeds, sampling))

    def theirs() -> None:
        size = {"height": diffusion.image_size, "width": diffusion.image_size}
        made["theirs"] = list(one_by_one(peer, prompts, seeds, sampling, lambda _: size))

    return _compared(ours, theirs, made, diffusion, sampling, images, repeats)


def by_image(diffusion: Diffusion, peer: Any, sampling: Sampling, images: int, repeats: int = 5) -> Measured:
    """Time images from prompts of ten classes in turn and pictures of the model's size."""
    from PIL import Image

    prompts, seeds = asked(images)
    starts = natural_pictures(images, diffusion.image_size)
    opened = [Image.fromarray(each) for each in starts]
    made: dict[str, list[np.ndarray]] = {}

    def ours() -> None:
        made["ours"] = list(diffusion.image_to_image(prompts, starts, STRENGTH, seeds, sampling))

    def theirs() -> None:
        begun = one_by_one(
            peer, prompts, seeds, sampling, lambda number: {"image": opened[number], "strength": STRENGTH}
        )
        made["theirs"] = list(begun)

    return _compared(ours, theirs, made, diffusion, sampling, images, repeats)


def asked(images: int) -> tuple[list[str], list[int]]:
    """Prompts of the classes in turn, and a seed for each."""
    return [f"a photo of a {CLASSES[number % len(CLASSES)]}" for number in range(images)], list(range(images))


def peer_of(model: Path, pipeline: str, dtype: torch.dtype = torch.float32) -> Any:
    """A pipeline of diffusers with the weights that ours has, and our scheduler."""
    import diffusers

    variant = "fp16" if list((model / "unet").glob("*.fp16.safetensors")) else None
    loaded = getattr(diffusers, pipeline).from_pretrained(
        str(model), dtype=dtype, variant=variant, local_files_only=True, requires_safety_checker=False
    )
    loaded.set_progress_bar_config(disable=True)
    loaded.scheduler = getattr(diffusers, Sampling().scheduler).from_config(loaded.scheduler.config)
    return loaded


def one_by_one(
    peer: Any, prompts: list[str], seeds: list[int], sampling: Sampling, further: Callable[[int], dict[str, Any]]
) -> Iterator[Float[np.ndarray, "h w 3"]]:
    """Images as the documentation of diffusers makes them: a call for each prompt."""
    for number, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
        yield peer(
            prompt=prompt,
            num_inference_steps=sampling.steps,
            guidance_scale=sampling.guidance_scale,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
            **further(number),
        ).images[0]


def _compared(
    ours: Callable[[], None],
    theirs: Callable[[], None],
    made: dict[str, list[np.ndarray]],
    diffusion: Diffusion,
    sampling: Sampling,
    images: int,
    repeats: int,
) -> Measured:
    measured = interleaved(ours, theirs, repeats)
    precision = str(diffusion.pipeline.dtype).removeprefix("torch.")
    pixels = [np.stack(made[side]).astype(np.float64) for side in ("ours", "theirs")]
    pixels[1] *= 255  # theirs are not rounded to whole values, so that half a value lies between equal images
    apart = float(abs(pixels[0] - pixels[1]).max())
    return replace(
        measured.with_check(
            np.isfinite(apart) and apart <= SAME[precision],
            f"largest difference {apart:.2f} of 255, at most {SAME[precision]:g} is the same; {psnr(*pixels):.1f} dB",
        ),
        work=f"{images} images of {diffusion.image_size} pixels and {len(CLASSES)} classes, {sampling.steps} steps, "
        f"guidance {sampling.guidance_scale:g}, {precision}, {torch.get_num_threads()} threads",
    )
