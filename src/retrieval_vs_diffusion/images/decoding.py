"""Decoding many images at once: on threads, since Pillow gives Python's lock back while it decodes and resizes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import UInt8

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.square import square

SMALL = 4096  # bytes of an encoded image: below, handing it to a thread takes as long as decoding it
AT_ONCE = 256  # images whose encoded bytes are held together
_PER_TASK = 8


def decode_into(squares: UInt8[np.ndarray, "n s s 3"], encoded: Iterable[bytes]) -> None:
    """Decode images in order; short side resized to the side of ``squares``, centre cropped.

    The pixels do not depend on the number of threads, one for each core that this process may use.

    Args:
        squares: filled from its beginning.
        encoded: at most as many images as it has room for.

    Raises:
        BrokenImageError: if an image cannot be decoded; of several, for the first.
    """
    size, start = squares.shape[1], 0

    def decode(task: tuple[int, Sequence[bytes]]) -> None:
        first, images = task
        for number, data in enumerate(images, start=first):
            squares[number] = square(codec.decode(data), size)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None) as threads:
        for images in in_portions(encoded, AT_ONCE):
            tasks = [(start + at, images[at : at + _PER_TASK]) for at in range(0, len(images), _PER_TASK)]
            run = map if max(map(len, images)) < SMALL else threads.map
            for _ in run(decode, tasks):
                pass
            start += len(images)


def in_portions(encoded: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """All in order, so many at a time."""
    rest = iter(encoded)
    while portion := list(itertools.islice(rest, size)):
        yield portion
