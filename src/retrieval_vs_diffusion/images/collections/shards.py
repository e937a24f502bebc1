"""The tables of a collection: those that are whole are read, the others are counted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.record_batches import (
    ENDINGS,
    BrokenShardError,
    batches_of,
    schema_of,
)
from retrieval_vs_diffusion.images.collections.tar_members import BROKEN_SHARD

logger = logging.getLogger(__name__)


class Shards:
    """The whole ones among the files of a collection; of the others it is told and counted that they are broken.

    Args:
        path: a file, or a folder with files in it or in its folders.
        faults: counts the broken ones.

    Raises:
        UserError: if there are no files, or none is whole.
    """

    def __init__(self, path: Path, faults: Counter[str]) -> None:
        self._faults = faults
        found = shards_in(path)
        self._alone = len(found) == 1
        self.files = [shard for shard in found if self._is_whole(shard)]
        if not self.files:
            schema_of(found[0])  # which says what is wrong with it

    def rows(
        self, shard: Path, columns: Sequence[str], wanted: Callable[[int], bool] | None = None
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """As ``batches_of``; where damage shows later, the rows before it, unless the file is the only one."""
        try:
            yield from batches_of(shard, columns, wanted)
        except BrokenShardError as error:
            if self._alone:
                raise
            self._count(error)

    def _is_whole(self, shard: Path) -> bool:
        try:
            schema_of(shard)
        except BrokenShardError as error:
            if not self._alone:
                self._count(error)
            return False
        return True

    def _count(self, error: BrokenShardError) -> None:
        self._faults[BROKEN_SHARD] += 1
        logger.warning("%s", error)


def shards_in(path: Path) -> list[Path]:
    """The file itself, or all Parquet and Arrow files under a folder in order of their names.

    Raises:
        UserError: if there are none.
    """
    if path.is_file():
        return [path]
    found = sorted(
        (
            file
            for file in path.rglob("*")
            if file.suffix.lower() in ENDINGS and not _is_hidden(file.relative_to(path)) and file.is_file()
        ),
        key=lambda file: file.as_posix(),
    )
    if not found:
        raise UserError(f"{path}: found no file that ends in {', '.join(ENDINGS)}")
    return found


def _is_hidden(path: Path) -> bool:
    return any(step.startswith(".") for step in path.parts)
