"""What a .safetensors file holds, by its header alone: nothing is loaded, and nothing in it can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.pickles import refuse_pickle


@dataclass(frozen=True)
class Header:
    """The tensors of a file and what is written about them.

    Args:
        shapes: of each tensor by its name.
        metadata: free text by key.
    """

    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]

    def has(self, start: str) -> bool:
        """Whether a tensor's name starts so."""
        return any(name.startswith(start) for name in self.shapes)


def read_header(file: Path, where: str) -> Header:
    """The header of a .safetensors file, which also tells whether the file is whole.

    Args:
        file: it must exist.
        where: the parameter that names it, for the error.

    Raises:
        UserError: if it is cut off, or no safetensors file whatever its name says.
    """
    refuse_pickle(file, where)
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            names = list(opened.keys())
            shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in names}
            header = Header(shapes, opened.metadata() or {})
    except (SafetensorError, OSError) as error:
        size = file.stat().st_size
        raise UserError(
            f"{where}: {file} ({size:,} bytes) is cut off or no safetensors file ({error}); bring it again"
        ) from error
    if not shapes:
        raise UserError(f"{where}: {file} holds no tensors; bring it again")
    return header
