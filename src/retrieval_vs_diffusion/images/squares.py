"""All images of a table as squares of one size: in one array, or wherever they are best read from again and again."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.decoded_store import current_store
from retrieval_vs_diffusion.images.decoding import SMALL, decode_into
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.kept_squares import DecodedAnew, HeldSquares, Squares, encoded_of

logger = logging.getLogger(__name__)
IN_MEMORY_UP_TO = 2_000_000_000  # bytes


def squares_of(
    tables: ImageTable | Sequence[ImageTable], size: int, in_memory_up_to: int = IN_MEMORY_UP_TO
) -> UInt8[np.ndarray, "n s s 3"]:
    """All images of the tables in order: short side resized to ``size`` pixels, centre cropped.

    Of more than ``in_memory_up_to`` bytes the array lies in a temporary file, which goes with it.

    Raises:
        BrokenImageError: if an image cannot be decoded.
        UserError: if there is no room for that file.
    """
    listed = [tables] if isinstance(tables, ImageTable) else list(tables)
    number = sum(len(table) for table in listed)
    try:
        squares = _empty(number, size, in_memory_up_to)
    except OSError as error:
        raise UserError(
            f"{tempfile.gettempdir()}: has no room for {number:,} images at {size} pixels, "
            f"{number * size * size * 3 / 1e9:.2g} GB ({error.strerror or error}); set TMPDIR to a folder that has"
        ) from error
    decode_into(squares, encoded_of(listed))
    return squares


def _empty(number: int, size: int, in_memory_up_to: int) -> UInt8[np.ndarray, "n s s 3"]:
    """Room for so many images, in memory or in a temporary file.

    Raises:
        OSError: if the disk has none.
    """
    shape = (number, size, size, 3)
    held = number * size * size * 3
    if held <= in_memory_up_to:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile() as file:  # without a name, so that nothing is left when the process ends
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, held)  # a disk that is full later would end the process
        return np.memmap(file, np.uint8, "w+", shape=shape)


def training_squares(tables: Sequence[ImageTable], size: int, in_memory_up_to: int = IN_MEMORY_UP_TO) -> Squares:
    """All images of the tables in order, for reading them many times, by many processes.

    Images that take longer to decode than to look up lie in the store of ``decoded_in``. Where there is none, or no
    room in it, they are in memory, up to ``in_memory_up_to`` bytes; else in a temporary file; else, where there is no
    room for that either, decoded whenever they are asked for. The pixels are the same in all cases.

    Raises:
        BrokenImageError: if an image cannot be decoded.
    """
    held = sum(len(table) for table in tables) * size * size * 3
    first = next(encoded_of([table.take([0]) for table in tables if len(table)]), b"")
    if len(first) >= SMALL and (store := current_store()) is not None:
        if (kept := store.squares(tables, size)) is not None:
            return kept
        has_room = False  # neither has the disk, most likely, on which the temporary file would be
    else:
        has_room = held < shutil.disk_usage(tempfile.gettempdir()).free
    if held <= in_memory_up_to or has_room:
        squares = None
        with contextlib.suppress(OSError):  # another process had the same thought, and took the room
            squares = _empty(sum(map(len, tables)), size, in_memory_up_to)
        if squares is not None:
            decode_into(squares, encoded_of(tables))
            return HeldSquares(squares)
    logger.info("%.2g GB of images at %d pixels are decoded anew in each batch", held / 1e9, size)
    return DecodedAnew(tables, size, in_memory_up_to)
