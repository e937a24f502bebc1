"""Vectors that lie in several .npy files, as clip-retrieval writes them, read as one array."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.unit_vectors import unit_vectors
from retrieval_vs_diffusion.remote.remote_path import as_path

_MAPPED = 64  # files that are mapped at the same time: each takes a file descriptor, and a process has 1024


class ShardedVectors:
    """Unit vectors in .npy files of half or single precision; rows count through from file to file.

    Nothing is held in memory. What is read is in single precision and as ``unit_vectors`` makes it; ``itemsize`` are
    the bytes of a number as it is stored, in the file of the longest ones.

    Args:
        files: one or more; each [n_i, d], with the same d. Files without rows are let through.

    Raises:
        UserError: if a file is not there, holds something else than such an array, or has another d than the first.
    """

    def __init__(self, files: Sequence[str | Path]) -> None:
        if not files:
            raise UserError("embeddings: found no .npy file; name at least one")
        self.files = tuple(as_path(file).absolute() for file in files)
        self._mapped: OrderedDict[int, np.ndarray] = OrderedDict()
        lengths, width, self.itemsize = [], None, 0
        for file in self.files:
            found = _map(file)
            if width is not None and found.shape[1] != width:
                raise UserError(
                    f"{file}: found vectors of {found.shape[1]} dimensions, {self.files[0]} has {width}: "
                    "take files that one CLIP model made"
                )
            width = found.shape[1]
            lengths.append(len(found))
            self.itemsize = max(self.itemsize, found.itemsize)
        self._starts = np.concatenate([[0], np.cumsum(lengths)])
        self.shape = (int(self._starts[-1]), int(width or 0))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Int[np.ndarray, " m"] | slice) -> Float[np.ndarray, "m d"]:
        """The vectors of these rows, read file by file."""
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        rows = np.asarray(rows, dtype=np.int64)
        if rows.size and not (rows.min() >= 0 and rows.max() < len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)} vectors")
        read = np.empty((len(rows), self.shape[1]), dtype=np.float32)
        shards = np.searchsorted(self._starts, rows, side="right") - 1
        for shard in np.unique(shards):
            here = shards == shard
            read[here] = self._shard(int(shard))[rows[here] - self._starts[shard]]
        return unit_vectors(read)[0]

    def batches(self, size: int) -> Iterator[Float[np.ndarray, "m d"]]:
        """All vectors in order, at most ``size`` at once; a batch does not reach beyond its file."""
        for vectors, _ in self.checked_batches(size):
            yield vectors

    def checked_batches(self, size: int) -> Iterator[tuple[Float[np.ndarray, "m d"], int]]:
        """Batches, each with how many of its vectors are broken."""
        for shard in range(len(self.files)):
            here = int(self._starts[shard + 1] - self._starts[shard])
            for first in range(0, here, size):
                yield unit_vectors(self._shard(shard)[first : first + size])

    def parts(self, first: int, end: int) -> Iterator[tuple[Float[np.ndarray, "m d"], int, int, int]]:
        """The files that rows ``first`` to ``end - 1`` lie in, as they are stored, not of unit length.

        Yields a file's array, the first row of it and the one behind the last, and how many rows came before.
        """
        for shard in range(len(self.files)):
            start, stop = int(self._starts[shard]), int(self._starts[shard + 1])
            if max(first, start) < min(end, stop):
                yield self._shard(shard), max(first, start) - start, min(end, stop) - start, max(first, start) - first

    def files_of(self, rows: range) -> list[Path]:
        """The files that rows, one after the other, lie in."""
        shards = zip(self.files, self._starts[:-1], self._starts[1:], strict=True)
        return [file for file, start, stop in shards if max(rows.start, start) < min(rows.stop, stop)]

    def _shard(self, number: int) -> np.ndarray:
        mapped = self._mapped.pop(number, None)
        if mapped is None:
            mapped = _map(self.files[number])
        self._mapped[number] = mapped  # the last one is the one that was used last
        if len(self._mapped) > _MAPPED:
            self._mapped.popitem(last=False)
        return mapped

    def __getstate__(self) -> dict[str, Any]:
        """Without the mapped files: in another process they are mapped again."""
        return {**self.__dict__, "_mapped": OrderedDict()}


def _map(file: Path) -> np.ndarray:
    try:
        mapped = np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise UserError(f"{file}: there is no such file; name the .npy files with the embeddings") from error
    except UserError:  # of a remote file
        raise
    except Exception as error:  # its header is Python that is parsed, and what that raises has no base
        raise UserError(f"{file}: is no array of vectors ({error}); give .npy files of shape [n, d]") from error
    held = isinstance(mapped, np.ndarray) and mapped.ndim == 2 and mapped.shape[1] > 0
    if not held or mapped.dtype not in (np.float16, np.float32):
        found = f"{mapped.dtype} of shape {list(mapped.shape)}" if isinstance(mapped, np.ndarray) else "an archive"
        raise UserError(f"{file}: found {found}; give float16 or float32 of shape [n, d]")
    return mapped
