"""Which weights a CLIP model is loaded from: one safetensors file, found before anything is loaded."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.hub import fetch_file

logger = logging.getLogger(__name__)

_SAFE = "open_clip_model.safetensors"  # where open_clip's table names a repository alone
_QUICK = "-quickgelu"


@dataclass(frozen=True)
class ClipWeights:
    """Weights of one of open_clip's models, and what the model must be told so that they mean what they meant.

    Args:
        file: of safetensors.
        name: which embeddings of theirs are labelled with.
        preprocessing: ``mean`` and ``std`` of the pixels that they were trained with.
        quick_gelu: whether they were trained with OpenAI's faster activation, and the model's name has the exact one.
    """

    file: Path
    name: str
    preprocessing: Mapping[str, Any]
    quick_gelu: bool = False


def hash_of(file: Path) -> str:
    """The first 8 hexadecimal digits of a file's SHA-256."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:8]


def weights_of_tag(model: str, tag: str) -> ClipWeights:
    """The weights of a pretrained tag, from the hub's cache or fetched.

    open_clip itself would fall back to pickles where a repository has no safetensors; here there is no such way.

    Raises:
        UserError: naming the file to bring where it cannot be fetched, or that only a pickle is there.
    """
    import open_clip

    described = open_clip.get_pretrained_cfg(model, tag)
    quick = bool(described.get("quick_gelu")) and not _is_quick(model)
    named = f"{model}{_QUICK}" if quick else model
    remedy = f"then clip.model: {named}, clip.checkpoint: /path/to/{_SAFE}"
    if not described.get("hf_hub"):
        raise UserError(
            f"clip.checkpoint: {model}/{tag} is only at {described.get('url')}, a pickle, which can run code when read;"
            f" {_with_safetensors(model)}"
        )
    # "org/repository/file.pt", or "org/repository/" for open_clip's own name.
    repository, _, filename = described["hf_hub"].rpartition("/")
    filename = f"{filename.rsplit('.', 1)[0]}.safetensors" if filename else _SAFE
    file = fetch_file(repository, filename, f"clip.model: {model}/{tag}", remedy)
    preprocessing = {key: described[key] for key in ("mean", "std")}
    return ClipWeights(file, f"{model}/{tag}", preprocessing, quick)


def weights_of_file(model: str, file: Path) -> ClipWeights:
    """The weights of a local file, which does not say by itself what they were trained with.

    OpenAI's weights, MetaCLIP's and DFN's were trained with a faster activation: loaded under a name without
    ``-quickgelu`` they work, only worse, and nothing fails. The activation is known where the file's name or folder
    names a tag, or ``open_clip_config.json`` lies beside it; else a line tells how it is read.

    Raises:
        UserError: if the file is known to need another model name.
    """
    import open_clip

    tags = {tag: open_clip.get_pretrained_cfg(model, tag) for tag in open_clip.list_pretrained_tags_by_model(model)}
    place = "/".join(file.resolve().parts[-4:]).lower().replace("-", "_")
    tag = max((each for each in tags if each in place), key=len, default=None)
    beside = _configuration_beside(file)
    quick: bool | None = None
    if tag is not None:
        quick = bool(tags[tag].get("quick_gelu"))
    elif beside is not None:
        quick = bool(beside["model_cfg"].get("quick_gelu"))
    other = f"{model}{_QUICK}"
    if quick and not _is_quick(model):
        found = f"its place names the weights {tag}" if tag is not None else "open_clip_config.json beside it says so"
        raise UserError(
            f"clip.model: found {model}, but {file} needs quick GELU ({found}); clip.model: {other} will do"
        )
    if quick is False and _is_quick(model):
        raise UserError(
            f"clip.model: found {model}, but {file} needs GELU; clip.model: {model.removesuffix(_QUICK)} will do"
        )
    if quick is None and other in open_clip.list_models():
        logger.warning(
            "%s does not say what activation it was trained with and is read with GELU; OpenAI's, MetaCLIP's and DFN's "
            "weights need clip.model: %s",
            file,
            other,
        )
    return ClipWeights(file, f"{model}/{file.stem}-{hash_of(file)}", _normalisation(model, tags, tag, beside))


def _normalisation(
    model: str, tags: Mapping[str, Mapping[str, Any]], tag: str | None, beside: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The ``mean`` and ``std`` of the pixels: of the tag, the configuration beside it, or all the model's tags."""
    if tag is not None:
        return {key: tags[tag][key] for key in ("mean", "std")}
    if beside is not None and {"mean", "std"} <= beside.get("preprocess_cfg", {}).keys():
        return {key: beside["preprocess_cfg"][key] for key in ("mean", "std")}
    known = {(each["mean"], each["std"]) for each in tags.values()}
    if len(known) > 1:
        logger.warning(
            "weights of %s were trained with %d different normalisations of pixels; OpenAI's is taken",
            model,
            len(known),
        )
    if len(known) != 1:
        return {}  # open_clip's own choice, which is OpenAI's
    mean, std = known.pop()
    return {"mean": mean, "std": std}


def _configuration_beside(file: Path) -> dict[str, Any] | None:
    """What a repository's configuration says, where it was brought together with the weights."""
    try:
        described = json.loads((file.parent / "open_clip_config.json").read_text())
        return dict(described) if isinstance(described["model_cfg"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_quick(model: str) -> bool:
    import open_clip

    return bool((open_clip.get_model_config(model) or {}).get("quick_gelu"))


def _with_safetensors(model: str) -> str:
    """Which of a model's tags are kept as safetensors, in words."""
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(model)
    safe = [tag for tag in tags if open_clip.get_pretrained_cfg(model, tag).get("hf_hub", "").endswith("/")]
    return f"{' or '.join(safe[:3])} will do" if safe else "a .safetensors file converted from it will do"
