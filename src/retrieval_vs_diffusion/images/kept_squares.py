"""Images of one size that are read when they are asked for: from decoded blocks, or decoded anew each time."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, UInt8

from retrieval_vs_diffusion.images.decoded_block import DecodedBlock, RemovedBlock
from retrieval_vs_diffusion.images.decoding import decode_into
from retrieval_vs_diffusion.images.image_table import ImageTable

logger = logging.getLogger(__name__)
_SECONDS_BETWEEN_TOUCHES = 600.0


@runtime_checkable
class Squares(Protocol):
    """Images of one size by their position."""

    size: int

    def __len__(self) -> int: ...

    def take(self, positions: Int[np.ndarray, " k"]) -> UInt8[np.ndarray, "k s s 3"]:
        """The images at these positions."""


class HeldSquares:
    """Images in one array.

    Args:
        images: in memory, or mapped into it.
    """

    def __init__(self, images: UInt8[np.ndarray, "n s s 3"]) -> None:
        self.images = images
        self.size = images.shape[1]

    def __len__(self) -> int:
        return len(self.images)

    def take(self, positions: Int[np.ndarray, " k"]) -> UInt8[np.ndarray, "k s s 3"]:
        """The images at these positions."""
        return self.images[positions]


class DecodedAnew:
    """Images that are decoded each time that they are asked for.

    Args:
        tables: the images, in order.
        size: pixels a side.
        in_memory_up_to: bytes of the encoded images that are held; of more, those asked for are read each time.
    """

    def __init__(self, tables: Sequence[ImageTable], size: int, in_memory_up_to: int) -> None:
        self.size = size
        self._tables = tables
        self._in_memory_up_to = in_memory_up_to
        self._encoded: list[bytes] | None = []
        held = 0
        for data in encoded_of(tables):
            held += len(data)
            if held > in_memory_up_to:
                self._encoded = None
                break
            self._encoded.append(data)

    def __reduce__(self) -> tuple[type[DecodedAnew], tuple[Sequence[ImageTable], int, int]]:
        return DecodedAnew, (self._tables, self.size, self._in_memory_up_to)  # once: the tables hold the same bytes

    def __len__(self) -> int:
        return sum(map(len, self._tables))

    def take(self, positions: Int[np.ndarray, " k"]) -> UInt8[np.ndarray, "k s s 3"]:
        """The images at these positions.

        Raises:
            BrokenImageError: if an image cannot be decoded.
        """
        squares = np.empty((len(positions), self.size, self.size, 3), np.uint8)
        held = self._encoded
        images = encoded_at(self._tables, positions) if held is None else [held[position] for position in positions]
        decode_into(squares, images)
        return squares


class KeptSquares:
    """Images in decoded blocks; one whose pixels are damaged is decoded again.

    Args:
        blocks: in which they are.
        places: of each image the number of its block, and its row there.
        tables: the encoded images, in order.
        size: pixels a side.
    """

    def __init__(
        self,
        blocks: Sequence[DecodedBlock | RemovedBlock],
        places: Int[np.ndarray, "n 2"],
        tables: Sequence[ImageTable],
        size: int,
    ) -> None:
        self.size = size
        self._blocks = blocks
        self._places = places
        self._tables = tables
        self._touched = time.monotonic()

    def __len__(self) -> int:
        return len(self._places)

    def take(self, positions: Int[np.ndarray, " k"]) -> UInt8[np.ndarray, "k s s 3"]:
        """The images at these positions."""
        if time.monotonic() - self._touched > _SECONDS_BETWEEN_TOUCHES:  # a long training uses them all the time
            self._touched = time.monotonic()
            for block in self._blocks:
                block.touch()
        of_block, rows = self._places[positions].T
        squares = np.empty((len(positions), self.size, self.size, 3), np.uint8)
        for number in np.unique(of_block):
            wanted = np.flatnonzero(of_block == number)
            squares[wanted], whole = self._blocks[number].take(rows[wanted])
            if not whole.all():
                broken = wanted[~whole]
                self._tell_of(self._blocks[number])
                anew = np.empty((len(broken), self.size, self.size, 3), np.uint8)
                decode_into(anew, encoded_at(self._tables, positions[broken]))
                squares[broken] = anew
        return squares

    def _tell_of(self, block: DecodedBlock | RemovedBlock) -> None:
        if block.folder.exists():
            logger.warning("%s is damaged: it is removed, and its images are decoded again", block.folder)
            shutil.rmtree(block.folder, ignore_errors=True)


def encoded_of(tables: Sequence[ImageTable]) -> Iterator[bytes]:
    """The encoded images of all tables in order."""
    return (data for table in tables for data in table.encoded())


def encoded_at(tables: Sequence[ImageTable], positions: Int[np.ndarray, " k"]) -> list[bytes]:
    """The encoded images at these positions, counted through all tables."""
    ends = np.cumsum([len(table) for table in tables])
    of_table = np.searchsorted(ends, positions, side="right")
    found: dict[int, bytes] = {}
    for number in np.unique(of_table):
        wanted = np.flatnonzero(of_table == number)
        within = positions[wanted] - (ends[number - 1] if number else 0)
        found.update(zip(wanted.tolist(), tables[number].take(within).encoded(), strict=True))
    return [found[at] for at in range(len(positions))]
