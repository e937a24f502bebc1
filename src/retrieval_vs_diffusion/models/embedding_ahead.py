"""Embedding a table unit by unit: decoded on threads, the next unit begun while one is waited for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, UInt8

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.square import decoded_square

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.clip import Clip

_PART = 16  # images of one piece of work; what a small vision transformer makes of them fits a processor's cache


class EmbeddingAhead:
    """Embeddings of units of a table, asked for in ascending order.

    With one thread a unit is decoded and embedded when it is asked for. With several, parts of 16 images go over
    threads of their own. Where the model is on the CPU, each thread decodes its part and embeds it with its share of
    torch's threads, mostly one: threads that split one product wait for each other at its end, these never do. Where it
    is on a GPU, the threads decode, and the model takes the whole unit. At most two units are in memory.

    Args:
        images: of any size.
        clip: embeds them.
        at_once: images of a unit.
        threads: that decode; without it one for each of torch's on the CPU, and for a GPU one for each core.
    """

    def __init__(self, images: ImageTable, clip: Clip, at_once: int, threads: int | None = None) -> None:
        self._images, self._clip, self._at_once = images, clip, at_once
        self._on_cpu = clip.device.type == "cpu"
        self._torch_threads = torch.get_num_threads()
        threads = threads or (self._torch_threads if self._on_cpu else _cores())
        self._workers = min(threads, -(-min(at_once, len(images)) // _PART))
        self._pool: ThreadPoolExecutor | None = None
        self._begun: dict[int, list[Future[np.ndarray]]] = {}

    def __enter__(self) -> EmbeddingAhead:
        """Start the threads."""
        if self._workers > 1:
            share = max(1, self._torch_threads // self._workers)
            # Each thread of Python has a setting of its own for the threads that torch splits its work over.
            self._pool = ThreadPoolExecutor(self._workers, "embedding", torch.set_num_threads, (share,))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Drop what nobody asked for, and wait for what runs."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._begun.clear()
            torch.set_num_threads(self._torch_threads)  # what threads that start from now on take over

    def vectors(self, start: int) -> Float[np.ndarray, "n d"]:
        """Unit-length embeddings of the images from ``start`` on, as many as a unit has.

        Raises:
            BrokenImageError: if one cannot be decoded; of several the first.
        """
        if self._pool is None:
            return self._clip.embed_images(_squares(self._encoded(start), self._clip.image_size))
        for skipped in [each for each in self._begun if each < start]:
            del self._begun[skipped]
        for each in (start, start + self._at_once):
            if each not in self._begun and each < len(self._images):
                self._begun[each] = self._begin(self._pool, each)
        made = np.concatenate([part.result() for part in self._begun.pop(start)])
        return self._clip.checked(made) if self._on_cpu else self._clip.embed_images(made)

    def _begin(self, pool: ThreadPoolExecutor, start: int) -> list[Future[np.ndarray]]:
        encoded = self._encoded(start)  # here: shards are read by one thread
        parts = [encoded[first : first + _PART] for first in range(0, len(encoded), _PART)]
        return [pool.submit(self._part, part) for part in parts]

    def _encoded(self, start: int) -> list[bytes]:
        return list(self._images.take(range(start, min(start + self._at_once, len(self._images)))).encoded())

    def _part(self, encoded: Sequence[bytes]) -> np.ndarray:
        squares = _squares(encoded, self._clip.image_size)
        return self._clip.encode(squares) if self._on_cpu else squares


def _squares(encoded: Sequence[bytes], size: int) -> UInt8[np.ndarray, "n s s 3"]:
    return np.stack([decoded_square(data, size) for data in encoded])


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
