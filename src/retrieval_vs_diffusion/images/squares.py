"""All images of a table as one array of squares, on disk where memory would not hold them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.square import square

IN_MEMORY_UP_TO = 2_000_000_000  # bytes


def squares_of(
    tables: ImageTable | Sequence[ImageTable], size: int, in_memory_up_to: int = IN_MEMORY_UP_TO
) -> UInt8[np.ndarray, "n s s 3"]:
    """All images of the tables in order: short side resized to ``size`` pixels, centre cropped.

    Of more than ``in_memory_up_to`` bytes the array lies in a temporary file, which goes with it.

    Raises:
        BrokenImageError: if an image cannot be decoded.
    """
    listed = [tables] if isinstance(tables, ImageTable) else list(tables)
    shape = (sum(len(table) for table in listed), size, size, 3)
    if np.prod(shape, dtype=np.int64) <= in_memory_up_to:
        squares = np.empty(shape, np.uint8)
    else:
        with tempfile.TemporaryFile() as file:  # without a name, so that nothing is left when the process ends
            squares = np.memmap(file, np.uint8, "w+", shape=shape)
    images = (data for table in listed for data in table.encoded())
    for number, data in enumerate(images):
        squares[number] = square(codec.decode(data), size)
    return squares
