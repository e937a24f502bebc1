"""A CLIP model as a folder in open_clip's layout: configuration, weights and tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.hub import fetch_folder
from retrieval_vs_diffusion.models.pickles import is_pickle, refuse_pickle, refuse_remote_code
from retrieval_vs_diffusion.remote.remote_path import as_path

CONFIGURATION, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
HUB = "hf-hub:"
_TOKENIZER = ("vocab.json", "merges.txt", "tokenizer*", "special_tokens_map.json", "*.model", "vocab.txt")
PARTS = (CONFIGURATION, WEIGHTS, *_TOKENIZER)  # no pickles


def check_clip(model: str, checkpoint: str | None) -> None:
    """Refuse what will not do, without loading torch; what open_clip alone can tell is told when CLIP is loaded.

    Args:
        model: a folder, a hub address or one of open_clip's names.
        checkpoint: with a name: its pretrained tag or a local file.

    Raises:
        UserError: if a folder is not whole, or the checkpoint is not there, is no safetensors file, or is one too many.
    """
    if as_path(model).is_dir() or model.startswith(HUB):
        if checkpoint is not None:
            raise UserError(
                f"clip.checkpoint: found {checkpoint}, but {model} brings its own weights; set clip.checkpoint to null"
            )
        if not model.startswith(HUB):
            text_configuration(as_path(model))
    elif "/" in model:
        raise UserError(f"clip.model: there is no folder {model}; give a folder or a name such as ViT-B-32")
    elif checkpoint is not None and as_path(checkpoint).is_file():
        refuse_pickle(as_path(checkpoint), "clip.checkpoint")
        if not checkpoint.endswith(".safetensors"):
            raise UserError(
                f"clip.checkpoint: {checkpoint} is no .safetensors file; other formats can run code when read"
            )
    elif checkpoint is not None and "/" in checkpoint:
        raise UserError(f"clip.checkpoint: there is no file {checkpoint}; give a file or a tag of {model}")


def folder_of_hub(address: str) -> Path:
    """The folder of an address such as ``hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K``, from the cache or fetched.

    Pickles are not fetched: where a repository has no safetensors, the folder lacks its weights.

    Raises:
        UserError: if the hub cannot be reached, or knows no such repository.
    """
    repository = address.removeprefix(HUB)
    remedy = f"{CONFIGURATION}, {WEIGHTS} and the tokenizer's files, then clip.model: /path/to/folder"
    return fetch_folder(repository, PARTS, f"clip.model: {address}", remedy)


def text_configuration(folder: Path) -> dict[str, Any]:
    """The part of a folder's configuration that describes the text tower.

    Raises:
        UserError: if the folder lacks a part, or its configuration is none of open_clip's.
    """
    for part in (CONFIGURATION, WEIGHTS):
        if not (folder / part).is_file():
            pickles = sorted(file for file in folder.iterdir() if is_pickle(file)) if part == WEIGHTS else []
            if pickles:
                refuse_pickle(pickles[0], f"CLIP folder {folder} lacks {part}", folder / WEIGHTS)
            raise UserError(f"CLIP folder {folder} lacks {part}; a whole one holds {CONFIGURATION} and {WEIGHTS}")
    try:
        described = dict(json.loads((folder / CONFIGURATION).read_text())["model_cfg"]["text_cfg"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"CLIP folder {folder}: {CONFIGURATION} is no open_clip configuration ({error!r})") from error
    for file in sorted(folder.glob("*.json")):
        refuse_remote_code(_json(file), file, "clip.model")
    own = described.get("hf_tokenizer_name")
    if own and not any((folder / name).is_file() for name in ("vocab.json", "tokenizer.json")):
        raise UserError(f"CLIP folder {folder} lacks tokenizer.json, though its configuration names a tokenizer")
    return described


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except ValueError:
        return None  # whoever needs it will say so
