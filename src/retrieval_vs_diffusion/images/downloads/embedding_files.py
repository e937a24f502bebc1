"""The embeddings of a pool of links, as clip-retrieval writes them: NumPy files, one beside each of metadata."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.remote.ranges import opened_in_part
from retrieval_vs_diffusion.remote.remote_path import RemotePath


def in_order(folder: Path, ending: str) -> list[Path]:
    """The files of a folder with an ending (``.npy``), by the numbers in their names: 2 comes before 10."""
    return sorted((path for path in folder.glob(f"*{ending}") if path.is_file()), key=_by_numbers)


def check_pairs(metadata: Sequence[tuple[Path, int]], embeddings: Sequence[Path]) -> int:
    """Check that every row of the metadata has its embedding, file by file.

    Args:
        metadata: the files in order, with how many rows each has.
        embeddings: the files in order.

    Returns:
        The dimension of the embeddings.

    Raises:
        UserError: if files or rows are not the same in number, dimensions differ, or a file is no array of
            numbers.
    """
    if len(metadata) != len(embeddings):
        raise UserError(
            f"{embeddings[0].parent}: {len(embeddings)} embedding files, but {len(metadata)} metadata files in "
            f"{metadata[0][0].parent}; each needs the other that was made with it"
        )
    dimension = 0
    for (table, rows), array in zip(metadata, embeddings, strict=True):
        if _number(table) != _number(array) and None not in (_number(table), _number(array)):
            raise UserError(f"{array}: comes where the embeddings of {table} should; bring the files that are missing")
        found, width = shape_of(array)
        if found != rows:
            raise UserError(
                f"{array}: {found:,} embeddings, but {table} has {rows:,} rows; bring the two that were made together"
            )
        if dimension not in (0, width):
            raise UserError(
                f"{array}: embeddings of dimension {width}, but {embeddings[0]} has {dimension}; "
                f"bring those of one CLIP model"
            )
        dimension = width
    return dimension


def shape_of(path: Path) -> tuple[int, int]:
    """Rows and dimension of a file of embeddings; of its data nothing is read, and nothing in it is run.

    Raises:
        UserError: if it holds objects, or is no whole array of numbers with a row each.
    """
    try:
        array = _header_of(path) if isinstance(path, RemotePath) else np.lib.format.open_memmap(path, mode="r")
    except UserError:  # of a remote file
        raise
    except Exception as error:  # its header is Python that is parsed, and what that raises has no base
        told = str(error).partition("\n")[0].rstrip(".")
        raise UserError(
            f"{path}: is no whole .npy file of numbers ({told}); bring one as clip-retrieval makes it"
        ) from error
    if array.ndim != 2 or not array.shape[1] or array.dtype not in (np.float16, np.float32):
        raise UserError(
            f"{path}: found {array.dtype} of shape {array.shape}; embeddings are float16 or float32, a row an image"
        )
    return array.shape[0], array.shape[1]


def _header_of(path: RemotePath) -> np.ndarray:
    """What an array of a remote file would be, of which no bytes but the header's are fetched.

    Raises:
        ValueError: if there is no header, or not as many bytes after it as it says.
    """
    with opened_in_part(path) as file:
        version = np.lib.format.read_magic(file)
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}[version[0]]
        shape, _, dtype = read(file)
        missing = math.prod(shape) * dtype.itemsize + file.tell() - path.stat().st_size
    if missing > 0 or dtype.hasobject:
        raise ValueError(f"it holds objects, or lacks {missing:,} bytes")
    return np.broadcast_to(np.empty((), dtype), shape)


def _by_numbers(path: Path) -> tuple[list[int], str]:
    return [int(number) for number in re.findall(r"\d+", path.stem)], path.name


def _number(path: Path) -> int | None:
    """The last number of a file's name; None where it has none."""
    numbers = re.findall(r"\d+", path.stem)
    return int(numbers[-1]) if numbers else None
