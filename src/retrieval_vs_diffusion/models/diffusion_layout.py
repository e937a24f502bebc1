"""What of a diffusion model on the disk can be told at the start of a run, which loads no torch for it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.pickles import is_pickle, refuse_pickle, refuse_remote_code

# Whose classes a model's parts may be; `stable_diffusion` is diffusers' own safety checker.
_LIBRARIES = ("diffusers", "transformers", "stable_diffusion", None)
_WITH_WEIGHTS = ("unet", "vae", "text_encoder", "text_encoder_2")  # of all families; what of these a model declares


def check_layout(path: Path) -> None:
    """Refuse what will not do whatever its family; all else is told when it is loaded.

    Args:
        path: a directory in diffusers' layout, or one file.

    Raises:
        UserError: if it is neither, is a pickle or holds weights as pickles alone, lacks a part that it names, or needs
            code that comes with it.
    """
    if path.is_file():
        check_file(path)
        return
    declared = declared_in(path)
    for part in (part for part in _WITH_WEIGHTS if part in declared):
        if not (path / part).is_dir():
            raise UserError(f"diffusion model {path} lacks its part {part}/, which its model_index.json names")
        check_weights(path, part, str(declared.get("_class_name")))


def check_file(path: Path) -> None:
    """Refuse a file that is no safetensors file.

    Raises:
        UserError: saying how to convert it, where it is a pickle.
    """
    instead = "bring the same model as .safetensors, or its directory"
    refuse_pickle(path, "diffusion.path", more=f"{instead}, or ")
    if path.suffix != ".safetensors":
        raise UserError(f"diffusion.path: {path} is no .safetensors file; {instead}")


def declared_in(path: Path) -> dict[str, Any]:
    """The content of a directory's ``model_index.json``: its class and, by part, the library and class of it.

    Raises:
        UserError: if there is none, or something of the directory would have to be run.
    """
    if not path.is_dir():
        raise UserError(f"diffusion.path: there is no directory or file {path}; give one that is there")
    if not (path / "model_index.json").is_file():
        raise UserError(f"diffusion model {path} lacks model_index.json; it must be in diffusers' layout")
    try:
        declared = dict(json.loads((path / "model_index.json").read_text()))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"diffusion model {path}: model_index.json is no JSON ({error}); bring the file again"
        ) from error
    _refuse_foreign_code(path, declared)
    return declared


def check_weights(path: Path, part: str, pipeline: str) -> None:
    """Check that a part of a directory has weights as safetensors.

    Args:
        path: the directory.
        part: a folder in it.
        pipeline: a class of diffusers', which a command that converts pickles loads them with.

    Raises:
        UserError: if it has none; with that command where it has pickles.
    """
    if list((path / part).glob("*.safetensors")):
        return
    pickles = sorted(file.name for file in (path / part).iterdir() if is_pickle(file))
    found = "none is there"
    if pickles and pipeline.isidentifier():
        program = (
            f"import diffusers; diffusers.{pipeline}.from_pretrained({json.dumps(str(path))}, "
            f"use_safetensors=False).save_pretrained({json.dumps(f'{path}-safetensors')})"
        )
        found = (
            f"found {pickles[0]}, a pickle, which can run code when read; if you trust it, convert it: "
            f"python -c {shlex.quote(program)}"
        )
    raise UserError(f"diffusion model {path}: {part}/ needs a .safetensors file, {found}")


def _refuse_foreign_code(path: Path, declared: dict[str, Any]) -> None:
    """Nothing of a directory is run: its parts are of diffusers' and transformers' classes, its shards safetensors.

    Raises:
        UserError: naming what is of another kind.
    """
    for part, value in declared.items():
        library = value[0] if isinstance(value, list) and value else None
        if library not in _LIBRARIES:
            raise UserError(
                f"diffusion model {path}: model_index.json takes its part {part} from {library}, which may be code "
                "that comes with it and is never run; bring a model of diffusers' and transformers' own classes"
            )
    for file in sorted(path.glob("*/*.json")):
        try:
            described = json.loads(file.read_text())
        except ValueError:
            continue  # whoever needs it will say so
        refuse_remote_code(described, file, "diffusion.path")
        weight_map = described.get("weight_map") if isinstance(described, dict) else None
        shards = {str(name) for name in weight_map.values()} if isinstance(weight_map, dict) else set()
        strange = sorted(name for name in shards if not name.endswith(".safetensors") or Path(name).name != name)
        # Pickled shards may lie beside safetensors, with an index of their own that nothing reads.
        if strange and ".safetensors." in file.name:
            raise UserError(f"diffusion.path: {file} names {strange[0]}, which is no .safetensors file beside it")
