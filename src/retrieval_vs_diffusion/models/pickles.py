"""Checkpoints that can run code when they are read: told by name and by bytes, refused, and how to convert them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from retrieval_vs_diffusion.errors import UserError

ENDINGS = (".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle", ".joblib")
_WHY = "is a pickle, which can run code when read"
# A pickle of protocol 2 and on, and the zip archive in which PyTorch keeps one.
_BEGINNINGS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle by its name's ending, or by its first bytes whatever its name says."""
    if path.suffix.lower() in ENDINGS:
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(9)
    # A header of 640 bytes begins like a pickle: safetensors begin with its length, then the header, which is JSON.
    is_safetensors = start[8:] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size - 8
    return start.startswith(_BEGINNINGS) and not is_safetensors


def refuse_pickle(path: Path, where: str, target: Path | None = None, more: str = "") -> None:
    """Refuse a file that is a pickle, without reading it.

    Args:
        path: the file.
        where: the parameter that names it, for the error.
        target: the file that should be there instead; by default beside it, ending in .safetensors.
        more: what else would do, for the error.

    Raises:
        UserError: if it is one; the line says how to convert it.
    """
    if is_pickle(path):
        raise UserError(f"{where}: {path} {_WHY}; {more}{how_to_convert(path, target)}")


def how_to_convert(path: Path, target: Path | None = None) -> str:
    """A command that writes a pickle's tensors as safetensors; it reads nothing but tensors, and runs no code."""
    new = target or path.with_suffix(".safetensors")
    if new == path:
        new = path.with_name(f"converted-{path.name}")
    source, written = json.dumps(str(path)), json.dumps(str(new))  # also literals of Python
    program = (
        f"import torch, safetensors.torch as s; w = torch.load({source}, map_location='cpu', weights_only=True); "
        f"w = w.get('state_dict', w); s.save_file({{k: v.clone() for k, v in w.items() if hasattr(v, 'clone')}}, "
        f"{written}, {{'format': 'pt'}})"
    )
    return f"convert it: python -c {shlex.quote(program)}"


def refuse_remote_code(described: Any, file: Path, where: str) -> None:
    """Refuse a configuration of transformers' that names classes of its own to be loaded: ``auto_map``.

    Raises:
        UserError: if it does.
    """
    if isinstance(described, dict) and described.get("auto_map"):
        raise UserError(
            f"{where}: {file} names code of its own (auto_map), which is never run; bring a model of transformers' "
            "own classes"
        )
