"""Tensors and numbers, e.g. the state of a training, as one safetensors file; all but tensors is JSON in its header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from retrieval_vs_diffusion.unfinished import BrokenUnitError

_TENSOR = "tensor"  # of a leaf: its name
_PAIRS = "pairs"  # of a dictionary: its keys, which JSON would turn into texts, and values


def write_checkpoint(path: Path, state: Any, key: str) -> None:
    """Write dictionaries, lists, numbers, texts and tensors, nested in any way.

    Args:
        path: the file.
        state: what is written; floats come back exactly.
        key: a digest of what is trained with what; ``read_checkpoint`` asks for it.
    """
    tensors: dict[str, Tensor] = {}
    outline = _outline(state, tensors)
    about = {"key": key, "outline": outline}
    save_file(tensors, path, metadata={"state": json.dumps(about)})


def read_checkpoint(path: Path, key: str) -> Any:
    """Read what ``write_checkpoint`` wrote; tensors come to the CPU.

    Raises:
        BrokenUnitError: if the file is not whole, or of another key.
    """
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dictionary)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise BrokenUnitError(f"not a whole checkpoint ({error})") from error
    if about["key"] != key:
        raise BrokenUnitError("a checkpoint of something else")
    return _filled(about["outline"], tensors)


def _outline(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The value with names in the place of its tensors, which are added to ``tensors``."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        # A copy: two names of one storage, e.g. a state and the best state, cannot stand in one file.
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {_TENSOR: name}
    if isinstance(value, dict):
        return {_PAIRS: [[_outline(key, tensors), _outline(each, tensors)] for key, each in value.items()]}
    if isinstance(value, list | tuple):
        return [_outline(each, tensors) for each in value]
    return value


def _filled(outline: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(outline, list):
        return [_filled(each, tensors) for each in outline]
    if isinstance(outline, dict):
        if _TENSOR in outline:
            return tensors[outline[_TENSOR]]
        return {_filled(key, tensors): _filled(each, tensors) for key, each in outline[_PAIRS]}
    return outline
