"""A few arrays in a file of their own, with a key: what a unit of unfinished work gave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from retrieval_vs_diffusion.unfinished import BrokenUnitError


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], key: str) -> None:
    """Write arrays of numbers or truth values by name.

    Args:
        path: the file.
        arrays: come back as they are, bit for bit.
        key: a digest of what they are made of; ``read_arrays`` asks for it.
    """
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path, metadata={"key": key})


def read_arrays(path: Path, key: str) -> dict[str, np.ndarray]:
    """Read what ``write_arrays`` wrote.

    Raises:
        BrokenUnitError: if the file is not whole, or of another key.
    """
    try:
        with safe_open(path, "np") as file:
            found = (file.metadata() or {}).get("key")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dictionary)
    except (SafetensorError, OSError, ValueError) as error:
        raise BrokenUnitError(f"no whole arrays ({error})") from error
    if found != key:
        raise BrokenUnitError("arrays of something else")
    return arrays
