"""A pool's embeddings read once from front to back, the next block while the last one is worked on."""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeGuard

import numpy as np
from jaxtyping import Float

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.models.sharded_vectors import ShardedVectors
from retrieval_vs_diffusion.models.unit_vectors import unit_vectors

_SERIAL = 2**15  # numbers up to which torch converts without threads
_AHEAD = 1  # blocks that lie ready beside the one that is worked on


def read_blocks(
    embeddings: Embeddings, size: int, rows: range | None = None
) -> Iterator[tuple[Float[np.ndarray, "m d"], int]]:
    """Unit vectors in order, each block with how many of its vectors are broken; those are zeros.

    A block may reach over several files. At most three are in memory. Files are read, not mapped: the pages of a map
    count as the process's memory until the system takes them back.

    Args:
        embeddings: of the pool.
        size: vectors of a block.
        rows: of the pool, one after the other; without them all.

    Raises:
        UserError: if a file ends before its header says.
    """
    rows = range(len(embeddings)) if rows is None else rows
    waiting: deque[Future[tuple[np.ndarray, int]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="reading vectors") as reader:
        for first in range(rows.start, rows.stop, size):
            waiting.append(reader.submit(_read, embeddings, first, min(first + size, rows.stop)))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _read(embeddings: Embeddings, first: int, end: int) -> tuple[np.ndarray, int]:
    block = np.empty((end - first, embeddings.width), dtype=np.float32)
    if isinstance(embeddings.vectors, ShardedVectors):
        for array, from_row, to_row, at in embeddings.vectors.parts(first, end):
            _copy(array, from_row, to_row, block[at : at + to_row - from_row])
    else:
        _copy(embeddings.vectors, first, end, block)
    return unit_vectors(block)


def maps_a_file(array: np.ndarray) -> TypeGuard[np.memmap]:
    """Whether an array is a whole file of half or single precision; of a part NumPy does not tell where it begins."""
    is_whole = isinstance(array.base, mmap.mmap) and array.flags.c_contiguous
    return isinstance(array, np.memmap) and is_whole and array.dtype in (np.float16, np.float32)


def _copy(array: np.ndarray, first: int, end: int, to: np.ndarray) -> None:
    """Rows of an array in memory, or of the file that it maps, in single precision."""
    rows = array[first:end]
    if maps_a_file(array):
        if array.dtype == np.float32:
            _read_bytes(array, first, to)
            return
        rows = np.empty((end - first, array.shape[1]), dtype=np.float16)
        _read_bytes(array, first, rows)
    if rows.dtype == np.float16 and rows.flags.c_contiguous and rows.flags.writeable:
        _to_single(rows, to)
    else:
        np.copyto(to, rows, casting="unsafe")


def _to_single(half: np.ndarray, to: np.ndarray) -> None:
    """Convert with torch, 7 times faster than NumPy and to the same numbers.

    A few rows at once, so that torch starts no threads: those of the product have the processor.
    """
    import torch

    at_once = max(1, _SERIAL // half.shape[1])
    source, target = torch.from_numpy(half), torch.from_numpy(to)
    for first in range(0, len(half), at_once):
        target[first : first + at_once].copy_(source[first : first + at_once])


def _read_bytes(array: np.memmap, first: int, to: np.ndarray) -> None:
    if not to.nbytes:
        return
    file_name = str(array.filename)
    unread = memoryview(to.data).cast("B")
    at = array.offset + first * array.strides[0]
    with open(file_name, "rb", buffering=0) as file:
        while unread.nbytes:
            count = os.preadv(file.fileno(), [unread], at)
            if not count:
                raise UserError(f"{file_name}: ends before its last vector; give the whole file")
            unread, at = unread[count:], at + count
