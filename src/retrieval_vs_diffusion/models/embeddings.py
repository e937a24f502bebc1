"""CLIP embeddings of many images: in memory, in one file, in files that others wrote, or still to be made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from retrieval_vs_diffusion.models.cost_meter import CostMeter
from retrieval_vs_diffusion.models.sharded_vectors import ShardedVectors
from retrieval_vs_diffusion.models.unit_vectors import unit_vectors

_BATCH_BYTES = 2**26  # of single-precision vectors that are read at once


@dataclass(frozen=True)
class Embeddings:
    """CLIP embeddings of a pool's images.

    Args:
        vectors: row i belongs to row i of the pool. What is read through ``rows`` and ``batches`` is of unit length.
        clip_name: the model that made them.
        seconds: that it took.
        broken: rows without a direction (NaN, infinity, zeros), as far as they were counted; they are read as zeros.
    """

    vectors: Float[np.ndarray, "n d"] | ShardedVectors
    clip_name: str
    seconds: float = 0.0
    broken: int = 0

    def __len__(self) -> int:
        return self.vectors.shape[0]

    @property
    def width(self) -> int:
        """Dimensions of a vector."""
        return self.vectors.shape[1]

    @property
    def origin(self) -> str:
        """Where they are, for messages: a file, the first of several, or the model that made them."""
        if isinstance(self.vectors, ShardedVectors):
            more = f" and {len(self.vectors.files) - 1} more" if len(self.vectors.files) > 1 else ""
            return f"{self.vectors.files[0]}{more}"
        file = getattr(self.vectors, "filename", None)  # of a memory map
        return str(file) if file else f"embeddings of {self.clip_name}"

    def rows(self, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m d"]:
        """Unit vectors of these rows, in single precision."""
        return unit_vectors(self.vectors[rows])[0]

    def in_memory(self) -> Float[np.ndarray, "n d"]:
        """All unit vectors, in single precision; for few images, e.g. a validation set's."""
        return self.rows(np.arange(len(self)))

    def batches(self, size: int | None = None) -> Iterator[Float[np.ndarray, "m d"]]:
        """All unit vectors in order, in single precision.

        Args:
            size: rows that are read at once; without it as many as make 64 MB.
        """
        for vectors, _ in self.checked_batches(size):
            yield vectors

    def checked_batches(self, size: int | None = None) -> Iterator[tuple[Float[np.ndarray, "m d"], int]]:
        """Batches, each with how many of its vectors are broken."""
        size = size or max(1, _BATCH_BYTES // (4 * max(1, self.width)))
        if isinstance(self.vectors, ShardedVectors):
            yield from self.vectors.checked_batches(size)
            return
        for first in range(0, len(self), size):
            yield unit_vectors(self.vectors[first : first + size])


def embeddings_of_files(files: Sequence[str | Path], clip_name: str) -> Embeddings:
    """Refer to embeddings that others wrote, e.g. clip-retrieval's ``img_emb/img_emb_0.npy``, and count the broken.

    They are read through once; nothing is copied.

    Args:
        files: .npy files of half or single precision, in the pool's order.
        clip_name: the model that is declared to have made them.

    Raises:
        UserError: if a file cannot be used.
    """
    vectors = ShardedVectors(files)
    unread = Embeddings(vectors, clip_name)
    return Embeddings(vectors, clip_name, broken=sum(broken for _, broken in unread.checked_batches()))


class EmbeddingStream:
    """Embeddings that do not exist yet: they are made while they are written.

    Args:
        batches: vectors [m, d], in the pool's order, made when they are asked for; d is known with the first.
        total: how many vectors there will be.
        clip_name: the model that makes them.
    """

    def __init__(self, batches: Iterable[Float[np.ndarray, "_ d"]], total: int, clip_name: str) -> None:
        self._batches = batches
        self.total = total
        self.clip_name = clip_name
        self.seconds = 0.0  # that the making took so far; who goes on with the work of a killed run sets it

    def __iter__(self) -> Iterator[Float[np.ndarray, "_ d"]]:
        batches = iter(self._batches)
        while True:
            with CostMeter("cpu") as meter:
                batch = next(batches, None)
            self.seconds += meter.seconds
            if batch is None:
                return
            yield batch
