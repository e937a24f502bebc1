"""Stable Diffusion 1.x directories in diffusers' layout: checked, then loaded from safetensors alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch

from retrieval_vs_diffusion.errors import UserError, did_you_mean
from retrieval_vs_diffusion.models.diffusion import Diffusion

PRECISIONS = ("float32", "bfloat16", "float16")
_PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
_WITH_WEIGHTS = ("unet", "vae", "text_encoder")


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
    diffusers_logging.set_verbosity_error()  # it tells of every prompt that is cut; Diffusion tells once
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
    return Diffusion(pipeline, checkpoint=_name_of(Path(path)), device=torch.device("cpu"))


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
    for part in _WITH_WEIGHTS:
        if not list((path / part).glob("*.safetensors")):
            pickles = [file.name for file in (path / part).glob("*.bin")]
            found = (
                f"found {pickles[0]}, a pickle, which can run code when read; convert it"
                if pickles
                else "none is there"
            )
            raise UserError(f"diffusion model {path}: {part}/ needs a .safetensors file, {found}")


def _name_of(path: Path) -> str:
    """Name of a checkpoint: its folder and a hash of its weights, so that a row tells which model made its image."""
    hashes = []
    for part in _WITH_WEIGHTS:
        for weights in sorted((path / part).glob("*.safetensors")):
            with weights.open("rb") as file:
                hashes.append(hashlib.file_digest(file, "sha256").hexdigest())
    return f"{path.name}-{hashlib.sha256(''.join(hashes).encode()).hexdigest()[:8]}"
