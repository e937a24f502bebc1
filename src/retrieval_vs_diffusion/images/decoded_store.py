"""Decoded images that repetitions, rows and processes share: an image is decoded once, not once a training.

Who runs steps says with ``decoded_in`` where decoded images lie; code that wants them asks ``current_store``. An image
is found by the digest of its encoded bytes, at its size and as this code and this version of Pillow decode it: nothing
in the store can be out of date. The store may be removed at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path

import numpy as np
import PIL
from PIL import features

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.artifact_lock import alone_with
from retrieval_vs_diffusion.execution.digest import digest_of_module
from retrieval_vs_diffusion.images import decoding
from retrieval_vs_diffusion.images.decoded_block import PARTIAL, DecodedBlock, open_block, write_block
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.kept_squares import KeptSquares, encoded_of
from retrieval_vs_diffusion.least_recently_used import lacking_on_disk, room_for

logger = logging.getLogger(__name__)
_LEFT_FREE = 0.05  # of the disk: what else a run writes must not fail for want of room


class DecodedStore:
    """Blocks of decoded images in folders by size.

    Args:
        folder: where they are; what the disk of it has no room for is not kept.
        at_most: bytes of all blocks together; those that were not used for longest are removed.
    """

    def __init__(self, folder: Path, at_most: int) -> None:
        self._folder = folder
        self._at_most = at_most

    def squares(self, tables: Sequence[ImageTable], size: int) -> KeptSquares | None:
        """All images of the tables in order; those that are not there yet are decoded and kept.

        Returns None where there is no room for them, or nothing can be written; the reason is logged.

        Raises:
            BrokenImageError: if an image cannot be decoded.
        """
        keys = [hashlib.sha256(data).hexdigest()[:32].encode() for data in encoded_of(tables)]
        code = digest_of_module(decoding.__name__)[:8]
        place = self._folder / f"{size}px-{code}-pillow-{PIL.__version__}-jpeg-{features.version('jpg')}"
        blocks = _blocks_with(keys, place, size)
        if not _missing(keys, blocks):
            return _found(keys, blocks, tables, size)
        try:
            # What two processes need is decoded by one of them, on all cores.
            with alone_with(place, "decoding images", quiet=True):
                for rest in place.glob(f".*{PARTIAL}"):  # of processes that were killed: nobody else writes now
                    shutil.rmtree(rest, ignore_errors=True)
                blocks = _blocks_with(keys, place, size)
                missing = _missing(keys, blocks)
                if missing and not self._make_room(len(missing), place, size, {*keys}):
                    return None
                if missing:
                    images = (data for at, data in enumerate(encoded_of(tables)) if at in missing)
                    blocks.append(write_block(place, [keys[at] for at in sorted(missing)], images, size))
        except (OSError, UserError) as error:
            logger.warning("Decoded images are not kept: %s", error)
            return None
        return _found(keys, blocks, tables, size)

    def _make_room(self, images: int, place: Path, size: int, keys: set[bytes]) -> bool:
        """Say how many bytes so many more images are, and remove what was not used for longest until they have room.

        What lies in ``place`` and has one of ``keys`` stays. Returns False where there is no room, having removed
        nothing where that could be told before.
        """
        needed = images * size * size * 3
        described = f"{images:,} images at {size} pixels: {needed / 1e9:.2g} GB to decode"

        def may_go(folder: Path) -> bool:
            block = open_block(folder, size) if folder.parent == place else None
            return block is None or keys.isdisjoint(block.keys)

        lacking = lacking_on_disk(self._folder, needed, _LEFT_FREE)
        room = room_for(needed, self._by_last_use(), self._at_most, lacking, may_go)
        if room.held + needed > self._at_most:
            logger.info("%s, not kept: the store may hold %.2g GB", described, self._at_most / 1e9)
            return False
        if room.lacking > 0:
            logger.info("%s, not kept: the disk of %s has no room", described, self._folder)
            return False
        for folder in room.to_remove:
            shutil.rmtree(folder, ignore_errors=True)
        # What another process reads takes its bytes until that ends.
        if room.to_remove and lacking_on_disk(self._folder, needed, _LEFT_FREE) > 0:
            logger.info("%s, not kept: the disk of %s has no room until other runs have ended", described, self._folder)
            return False
        logger.info("%s, once, to %s", described, self._folder)
        return True

    def _by_last_use(self) -> list[tuple[Path, int]]:
        """Bytes of each block, the one that was not used for longest first."""
        indices = [each for each in self._folder.glob("*/*/index.npy") if not each.parent.name.startswith(".")]
        indices.sort(key=lambda index: index.stat().st_mtime_ns)
        return [(index.parent, (index.parent / "pixels").stat().st_size) for index in indices]


def _blocks_with(keys: Sequence[bytes], place: Path, size: int) -> list[DecodedBlock]:
    """The blocks that have any of the images; no other stays open, for what is open takes its bytes when removed."""
    wanted, found = {*keys}, []
    for folder in sorted(each for each in place.glob("*") if not each.name.startswith(".")):
        block = open_block(folder, size)
        if block is not None and not wanted.isdisjoint(block.keys):
            found.append(block)
    return found


def _missing(keys: Sequence[bytes], blocks: Sequence[DecodedBlock]) -> set[int]:
    """Positions of the images that are in no block; of equal ones the first."""
    there = {key for block in blocks for key in block.keys}
    first: dict[bytes, int] = {}
    for position, key in enumerate(keys):
        if key not in there:
            first.setdefault(key, position)
    return set(first.values())


def _found(
    keys: Sequence[bytes], blocks: Sequence[DecodedBlock], tables: Sequence[ImageTable], size: int
) -> KeptSquares:
    at = {key: (number, row) for number, block in enumerate(blocks) for row, key in enumerate(block.keys)}
    places = np.array([at[key] for key in keys], dtype=np.int64).reshape(-1, 2)
    for block in blocks:
        block.touch()
    return KeptSquares(blocks, places, tables, size)


_current: ContextVar[DecodedStore | None] = ContextVar("decoded", default=None)


def current_store() -> DecodedStore | None:
    """Where decoded images lie now; None where they are not kept."""
    return _current.get()


@contextlib.contextmanager
def decoded_in(folder: Path, at_most: int) -> Iterator[None]:
    """Keep the decoded images of the steps inside in a folder; 0 bytes keep none."""
    before = _current.set(DecodedStore(folder, at_most) if at_most else None)
    try:
        yield
    finally:
        _current.reset(before)
