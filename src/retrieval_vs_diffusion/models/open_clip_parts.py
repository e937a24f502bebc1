"""open_clip's own making of tokenizers and networks, with errors that say what would do."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.hub import fetch_file
from retrieval_vs_diffusion.models.pickles import refuse_remote_code

_ON_THE_HUB = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def tokenizer_of(address: str, model: str, described: dict[str, Any]) -> Any:
    """The tokenizer of open_clip's address, after what is needed of the hub besides weights was asked for.

    Args:
        address: as open_clip names it: one of its models, or ``local-dir:`` and a folder.
        model: as the user named it.
        described: the text tower's configuration.

    Raises:
        UserError: if it names code, or what is neither on the hub nor readable.
    """
    import open_clip

    remedy = "all of the repository that has the weights, then clip.model: /path/to/folder"
    needed = {
        "config.json": described.get("hf_model_name"),
        "tokenizer_config.json": described.get("hf_tokenizer_name"),
    }
    for filename, repository in needed.items():
        if repository:
            if Path(repository).exists() or not _ON_THE_HUB.fullmatch(repository):
                raise UserError(
                    f'clip.model: {model} names "{repository}" for its text tower, which is no repository of the hub; '
                    f"bring {remedy}"
                )
            file = fetch_file(repository, filename, f"clip.model: {model}", remedy)
            refuse_remote_code(json.loads(file.read_text()), file, f"clip.model: {model}")
    try:
        return open_clip.get_tokenizer(address)
    except (OSError, ValueError, ImportError) as error:
        raise UserError(
            f"clip.model: {model} has no tokenizer that can be read ({_line(error)}); bring {remedy}"
        ) from error


def create(address: str, weights: Path, **how: Any) -> Any:
    """An open_clip network with these weights; ``how`` goes on to ``open_clip.create_model``.

    Raises:
        UserError: if the weights are another model's.
    """
    import open_clip

    pretrained = None if address.startswith("local-dir:") else os.fspath(weights)
    try:
        return open_clip.create_model(address, pretrained=pretrained, **how)
    except Exception as error:  # open_clip adapts weights before it loads them: others' can break it anywhere
        model = str(weights.parent) if pretrained is None else address
        raise UserError(is_another(model, weights, _first_difference(error))) from error


def is_another(model: str, weights: Path, difference: str) -> str:
    """What is said of weights that are another model's."""
    return f"clip.model: {weights} holds another model than {model} ({difference}); give the one that it belongs to"


def _first_difference(error: Exception) -> str:
    """What of torch's list of all differences tells the most."""
    text = str(error)
    if found := re.search(r"size mismatch for (\S+):.*?Size\((.*?)\) from.*?Size\((.*?)\)", text):
        return f"{found[1]} is {found[2]}, not {found[3]}"
    if found := re.search(r'(Missing|Unexpected) key\(s\) in state_dict: "(.*?)"', text):
        return f"{found[2]} is {'missing' if found[1] == 'Missing' else 'too many'}"
    return _line(error)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:150] or type(error).__name__
