"""Families of diffusion models: one file each, and its line in ``FAMILIES``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.diffusion_families.family import Family
from retrieval_vs_diffusion.models.diffusion_families.single_file import SingleFile
from retrieval_vs_diffusion.models.diffusion_families.stable_diffusion import StableDiffusion
from retrieval_vs_diffusion.models.diffusion_families.stable_diffusion_xl import StableDiffusionXL
from retrieval_vs_diffusion.models.safetensors_header import Header

# Imported by name and not found by search: the code that makes images counts in their fingerprints by its imports.
FAMILIES: tuple[Family, ...] = (StableDiffusion(), StableDiffusionXL())


def family_of_pipeline(pipeline: Any) -> Family:
    """The family of a diffusers pipeline.

    Raises:
        UserError: if there is none for it.
    """
    return family_of_class(type(pipeline).__name__, "this pipeline")


def family_of_class(class_name: Any, where: str) -> Family:
    """The family of a pipeline class by its name in diffusers.

    Args:
        class_name: as ``model_index.json`` gives it under ``_class_name``.
        where: what says so, for the error.

    Raises:
        UserError: if there is none for it.
    """
    for family in FAMILIES:
        if family.pipeline == class_name:
            return family
    known = ", ".join(family.pipeline for family in FAMILIES)
    raise UserError(f"diffusion.path: {where} is a {class_name}; known are {known}: bring one of these")


def family_of_file(path: Path, header: Header) -> tuple[Family, SingleFile]:
    """The family of a model in one file, and how it lies there.

    Raises:
        UserError: if the file holds no model of any family, or one that is not supported.
    """
    for family in FAMILIES:
        single_file = family.single_file(path, header)
        if single_file is not None:
            return family, single_file
    known = " or ".join(family.name for family in FAMILIES)
    raise UserError(f"diffusion.path: {path} {_what_it_is(header)}; give a whole model of {known}, or a directory")


def _what_it_is(header: Header) -> str:
    names = header.shapes
    if any("lora" in name for name in names):
        return "holds LoRA weights, which change a model"
    if header.has("down_blocks.") or header.has("text_model.") or header.has("decoder.up_blocks."):
        return "is one part of a model in diffusers' layout, whose directory has model_index.json"
    if header.has("model.diffusion_model."):
        return "holds a denoiser without the text encoder of a known model"
    return f"holds another kind of model (its first tensor is {min(names)})"
