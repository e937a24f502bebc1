"""Decoded images of one size in a folder, of which nothing that is damaged is ever used.

The folder holds ``pixels``, the images one after the other, and ``index.npy``: of each image the digest of its encoded
bytes and a check sum of its pixels. The folder's name is the digest of the index, and the index has a check sum for
every image; so whatever was cut short, changed or mixed up shows, and no other file need be believed.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, UInt8

from retrieval_vs_diffusion.images.decoding import decode_into, in_portions

logger = logging.getLogger(__name__)
_INDEX = np.dtype([("key", "S32"), ("sum", "<u4")])
_AT_ONCE = 64  # images that are decoded together
PARTIAL = ".part"  # ends the name of a folder that is being written


class DecodedBlock:
    """A folder of decoded images; opened by ``open_block``.

    Args:
        folder: where it is.
        index: of each image its key and check sum.
        pixels: of all images, mapped into memory: all processes share them.
        checked: the images that need no check any more, as they were written just now.
    """

    def __init__(
        self, folder: Path, index: np.ndarray, pixels: UInt8[np.ndarray, "n s s 3"], checked: bool = False
    ) -> None:
        self.folder = folder
        self.keys: list[bytes] = index["key"].tolist()
        self._sums = index["sum"]
        self._pixels = pixels
        self._checked = np.full(len(index), checked)

    def __reduce__(self) -> tuple[Callable[[Path, int], DecodedBlock | RemovedBlock], tuple[Path, int]]:
        return _opened_again, (self.folder, self._pixels.shape[1])  # another process maps the same pixels

    def touch(self) -> None:
        """Say that it was used now: of many blocks those that were not used for longest are removed."""
        with contextlib.suppress(OSError):
            os.utime(self.folder / "index.npy")

    def take(self, rows: Int[np.ndarray, " k"]) -> tuple[UInt8[np.ndarray, "k s s 3"], Bool[np.ndarray, " k"]]:
        """Images and whether each is as it was written; an image is checked when it is first read by a process."""
        images, whole = self._pixels[rows], np.ones(len(rows), bool)
        for number in np.flatnonzero(~self._checked[rows]):
            whole[number] = zlib.crc32(images[number].data) == self._sums[rows[number]]
        self._checked[rows[whole]] = True
        return images, whole


class RemovedBlock:
    """In place of a block that was removed before this process opened it; it has no image.

    Args:
        folder: where it was.
        size: pixels a side.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self._size = folder, size

    def take(self, rows: Int[np.ndarray, " k"]) -> tuple[UInt8[np.ndarray, "k s s 3"], Bool[np.ndarray, " k"]]:
        """No image is as it was written."""
        return np.zeros((len(rows), self._size, self._size, 3), np.uint8), np.zeros(len(rows), bool)

    def touch(self) -> None:
        """There is nothing to touch."""


def write_block(folder: Path, keys: Sequence[bytes], encoded: Iterable[bytes], size: int) -> DecodedBlock:
    """Decode images into a block; it appears when it is whole.

    Nothing waits for the disk: what a power cut leaves unwritten fails its check.

    Args:
        folder: in which the block is to be.
        keys: digest of each image's encoded bytes.
        encoded: the images, as many.
        size: pixels a side.

    Raises:
        OSError: if there is no room, or nothing can be written; nothing is left then.
        BrokenImageError: if an image cannot be decoded; likewise.
    """
    index, start = np.zeros(len(keys), _INDEX), 0
    index["key"] = keys
    partial = folder / f".{os.getpid()}{PARTIAL}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        # One array for all: a system takes longer to give new memory than to copy as much.
        decoded = np.empty((min(_AT_ONCE, len(keys)), size, size, 3), np.uint8)
        with (partial / "pixels").open("wb") as file:
            for images in in_portions(encoded, _AT_ONCE):
                squares = decoded[: len(images)]
                decode_into(squares, images)
                index["sum"][start : start + len(images)] = [zlib.crc32(each.data) for each in squares]
                start += len(images)
                file.write(squares.data)  # and no memory map, whose process a full disk ends
        np.save(partial / "index.npy", index)
        place = folder / _digest_of(index)
        shutil.rmtree(place, ignore_errors=True)  # a damaged one of the same images
        os.replace(partial, place)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return DecodedBlock(place, index, _mapped(place, len(index), size), checked=True)


def open_block(folder: Path, size: int) -> DecodedBlock | None:
    """The block in a folder; None where it is not whole, or was removed meanwhile."""
    try:
        index = np.load(folder / "index.npy", allow_pickle=False)
        if index.dtype != _INDEX or folder.name != _digest_of(index):
            return None
        if (folder / "pixels").stat().st_size != len(index) * size * size * 3:
            return None
        return DecodedBlock(folder, index, _mapped(folder, len(index), size))
    except (OSError, ValueError, EOFError):
        return None


def _opened_again(folder: Path, size: int) -> DecodedBlock | RemovedBlock:
    block = open_block(folder, size)
    if block is not None:
        return block
    logger.warning("%s was removed while it was used: its images are decoded anew in each batch", folder)
    return RemovedBlock(folder, size)


def _mapped(folder: Path, number: int, size: int) -> UInt8[np.ndarray, "n s s 3"]:
    return np.memmap(folder / "pixels", np.uint8, "r", shape=(number, size, size, 3))


def _digest_of(index: np.ndarray) -> str:
    return hashlib.sha256(index.tobytes()).hexdigest()[:32]
