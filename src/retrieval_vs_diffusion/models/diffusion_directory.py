"""Diffusion models from disk, from safetensors alone: a directory in diffusers' layout, or one file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from retrieval_vs_diffusion.errors import UserError, did_you_mean
from retrieval_vs_diffusion.models.compiled import MODES, CompiledDenoiser
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.models.diffusion_families import family_of_class, family_of_file
from retrieval_vs_diffusion.models.diffusion_families.family import Family
from retrieval_vs_diffusion.models.diffusion_layout import check_file, check_weights, declared_in
from retrieval_vs_diffusion.models.offload import OFFLOADS
from retrieval_vs_diffusion.models.safetensors_header import read_header
from retrieval_vs_diffusion.remote.folder_copy import on_disk
from retrieval_vs_diffusion.remote.remote_path import as_path

PRECISIONS = ("float32", "bfloat16", "float16")
_DESCRIBED = ("*.json", "*/*.json", "*/*.txt", "*/*.model")  # what a directory holds besides weights


def load_diffusion(
    path: str | None,
    precision: str = "float32",
    attention_slicing: bool = False,
    offload: str | None = None,
    channels_last: bool = False,
    compile: str | None = None,
) -> Diffusion:
    """Load a diffusion model of any known family to the CPU, without a network.

    Args:
        path: a directory in diffusers' layout, or one .safetensors file in the layout of the original code.
        precision: ``float32``, ``bfloat16`` or ``float16``; all of them run on the CPU too.
        attention_slicing: computes attention a part at a time: less memory, slower, other last bits.
        offload: what a GPU holds at a time: ``model``, the part that runs; ``sequential``, the layer that runs, which
            is slow; None for everything.
        channels_last: keeps weights and images of convolutions with the channels innermost, which half precision on a
            GPU is faster at; other last bits.
        compile: one of torch.compile's modes: the denoiser is compiled when it is first sampled from. None for not.

    Raises:
        UserError: if no path is given, nothing of a known family is there, a part is missing or cut off, or a setting
            is unknown.
    """
    if precision not in PRECISIONS:
        raise UserError(f'diffusion.precision: found "{precision}"; {did_you_mean(precision, PRECISIONS)}')
    if offload is not None and offload not in OFFLOADS:
        raise UserError(f'diffusion.offload: found "{offload}"; {did_you_mean(offload, OFFLOADS)}')
    if compile is not None and compile not in MODES:
        raise UserError(f'diffusion.compile: found "{compile}"; {did_you_mean(compile, MODES)}')
    if compile is not None and offload is not None:
        raise UserError(f"diffusion.compile: what is compiled stays in its place; found offload: {offload}, give null")
    if path is None:
        raise UserError("diffusion.path: is not given; a directory in diffusers' layout or a .safetensors file will do")
    compiled = CompiledDenoiser(compile) if compile is not None else None
    _be_quiet()
    dtype = getattr(torch, precision)
    source = as_path(path)
    load = _load_file if source.is_file() else _load_directory
    pipeline, name = load(source, dtype)
    if attention_slicing:
        pipeline.enable_attention_slicing()
    if channels_last:
        for part in (pipeline.unet, pipeline.vae):
            part.to(memory_format=torch.channels_last)
    return Diffusion(pipeline, name, torch.device("cpu"), offload, compiled)


def check_directory(path: Path) -> Family:
    """Check that a directory is whole before anything is loaded from it, and give its family.

    Raises:
        UserError: naming what is missing.
    """
    declared = declared_in(path)
    family = family_of_class(declared.get("_class_name"), f"{path}, by its model_index.json,")
    for part in family.parts:
        if part not in declared or not (path / part).is_dir():
            whole = ", ".join(family.parts)
            raise UserError(f"diffusion model {path} lacks its part {part}/; a whole one holds {whole}")
    for part in family.with_weights:
        check_weights(path, part, family.pipeline)
    return family


def _load_directory(path: Path, dtype: torch.dtype) -> tuple[Any, str]:
    import diffusers

    family = check_directory(path)
    variant = _variant(path, family, dtype)
    named = {part: _tensors(path / part, variant) for part in family.with_weights}
    try:
        pipeline = getattr(diffusers, family.pipeline).from_pretrained(
            str(on_disk(path, (*_DESCRIBED, *(f"{part}/*.safetensors" for part in family.with_weights)))),
            dtype=dtype,
            variant=variant,
            use_safetensors=True,
            local_files_only=True,
            **family.loading,
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"diffusion model {path} cannot be loaded ({reason}); bring it again") from error
    for part, names in named.items():
        lacking = _lacking(getattr(pipeline, part), names)
        if lacking is not None:
            raise UserError(f"diffusion model {path}: the weights in {part}/ lack {lacking}; bring them again")
    return pipeline, f"{path.name}-{_hash_of(path, family)}"


def _load_file(path: Path, dtype: torch.dtype) -> tuple[Any, str]:
    check_file(path)
    family, single_file = family_of_file(path, read_header(path, "diffusion.path"))
    with path.open("rb") as file:
        digits = hashlib.file_digest(file, "sha256").hexdigest()[:8]
    return single_file.load(path, family.pipeline, dtype, **family.loading), f"{path.stem}-{digits}"


def _variant(path: Path, family: Family, dtype: torch.dtype) -> str | None:
    """Which of two sets of weights is loaded: ``fp16`` if half precision is asked for, or nothing else is there."""
    parts = [path / part for part in family.with_weights]
    half, whole = (all(_files(part, variant) for part in parts) for variant in ("fp16", None))
    return "fp16" if half and (dtype == torch.float16 or not whole) else None


def _files(part: Path, variant: str | None) -> list[Path]:
    """The weights of a part: of a variant such as ``fp16``, or those whose name has no variant."""
    files = sorted(part.glob("*.safetensors"))
    return [file for file in files if (file.stem.endswith(f".{variant}") if variant else "." not in file.stem)]


def _tensors(part: Path, variant: str | None) -> set[str]:
    """The names of all tensors of a part; each header is read, so what is cut off is told."""
    files = _files(part, variant) or _files(part, None)
    return {name for file in files for name in read_header(file, "diffusion.path").shapes}


def _lacking(module: torch.nn.Module, names: set[str]) -> str | None:
    """A parameter that the files did not fill: diffusers leaves it without memory, transformers draws it at random."""
    import diffusers

    known = {name.removeprefix("text_model.") for name in names}  # transformers 4 kept the encoder under this name
    drawn = not isinstance(module, diffusers.ModelMixin)
    for name, value in module.named_parameters():
        if value.is_meta or (drawn and name.removeprefix("text_model.") not in known):
            return name
    return None


def _hash_of(path: Path, family: Family) -> str:
    """Hash of a directory's weights, so that a row tells which model made its image."""
    hashes = []
    for part in family.with_weights:
        for weights in sorted((path / part).glob("*.safetensors")):
            with weights.open("rb") as file:
                hashes.append(hashlib.file_digest(file, "sha256").hexdigest())
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:8]


def _be_quiet() -> None:
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()  # it tells of every prompt that is cut; Diffusion tells once
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()  # else each added pseudo-word is explained at length
