"""Exact search over files of embeddings in units of rows: each gives its k nearest, of which the nearest are kept."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Generator, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.executors.executor import LocalExecutor, executor
from retrieval_vs_diffusion.executors.units import Unit, Work
from retrieval_vs_diffusion.kept_arrays import read_arrays, write_arrays
from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.models.read_ahead import maps_a_file
from retrieval_vs_diffusion.models.running_best import RunningBest
from retrieval_vs_diffusion.models.sharded_vectors import ShardedVectors
from retrieval_vs_diffusion.models.streamed_search import best_of_rows, streamed_search
from retrieval_vs_diffusion.unfinished import unfinished

if TYPE_CHECKING:
    import torch

    from retrieval_vs_diffusion.unfinished import Section

UNIT_BYTES = 2**28  # of vectors as they are stored, at least; half a second of a core for a few queries
_MOST_UNITS = 2_000  # what they found is merged by one process
_TIMES_FOUND = 10  # a unit's vectors are at least so many times larger than what it finds
_KEY_BYTES = 8
_ALL = "all"


def sharded_search(
    embeddings: Embeddings, queries: Float[np.ndarray, "q d"], k: int, device: torch.device | None = None
) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
    """What ``streamed_search`` finds, bit for bit, whoever the step's executor has search.

    Embeddings in files that make several units are searched by the executor: it sends the places of the files, and of
    each unit q x k keys come back, which are merged as they come. Others, and all in this process, in one pass.

    While the step is unfinished the answer is kept, and until it is there the units' keys.

    Args:
        embeddings: of the pool; at most 2^32 vectors.
        queries: all of them, of any length.
        k: neighbours of each, at least 1.
        device: a GPU for the product; each process that searches has one then.

    Raises:
        UserError: if a file of the embeddings cannot be read, or is not there where a unit is searched.
    """
    ranges = unit_ranges(embeddings, len(queries), k)
    shared = _in_files(embeddings) if len(ranges) > 1 else None
    if isinstance(executor(), LocalExecutor) or shared is None:
        return streamed_search(embeddings, queries, k, device=device)
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    asked = f"{hashlib.sha256(queries.tobytes()).hexdigest()[:32]} of {embeddings.clip_name}, {k} nearest"
    kept = unfinished().section("searched")
    found = kept.find(_ALL, partial(read_arrays, key=asked))
    if found is None:
        units = [Unit(number, f"{asked}, rows {rows.start} to {rows.stop}", rows) for number, rows in enumerate(ranges)]
        best = RunningBest(len(queries), k)
        work = RowsSearch(shared, queries, k, device)
        for keys in executor().run(work, units, kept, "searching all embeddings (units)"):
            best.add_keys(keys)
        similarities, rows = best.sorted()
        found = {"similarities": similarities, "rows": rows}
        kept.keep(_ALL, partial(write_arrays, arrays=found, key=asked))
        kept.forget(unit.number for unit in units)
    return found["similarities"], found["rows"]


def unit_ranges(embeddings: Embeddings, queries: int, k: int) -> list[range]:
    """The rows of each unit of a search: as many as make ``UNIT_BYTES``, more where much is found or the pool large."""
    stored = embeddings.vectors.itemsize * max(1, embeddings.width)
    size = max(
        1, UNIT_BYTES // stored, _TIMES_FOUND * queries * k * _KEY_BYTES // stored, -(-len(embeddings) // _MOST_UNITS)
    )
    return [range(first, min(first + size, len(embeddings))) for first in range(0, len(embeddings), size)]


class RowsSearch(Work[Int[np.ndarray, "q k"]]):
    """Finds the nearest vectors within rows of a pool.

    Args:
        embeddings: in files.
        queries: of any length; they travel once, whatever the number of units.
        k: neighbours of each.
        device: a GPU for the product.
    """

    def __init__(
        self, embeddings: Embeddings, queries: Float[np.ndarray, "q d"], k: int, device: torch.device | None
    ) -> None:
        self._embeddings, self._queries, self._k, self._device = embeddings, queries, k, device

    @property
    def device(self) -> torch.device | str:
        """Of the product."""
        return self._device or "cpu"

    def make(self, units: Iterable[Unit], kept: Section) -> Generator[Int[np.ndarray, "q k"], None, None]:
        """Keys, as ``RunningBest`` has them, of the k nearest in each unit's rows."""
        for unit in units:
            self._check_there(unit.takes)
            keys = best_of_rows(self._embeddings, self._queries, self._k, unit.takes, device=self._device).keys
            kept.keep(unit.number, partial(write_arrays, arrays={"keys": keys}, key=unit.key))
            yield keys

    def read(self, path: Path, unit: Unit) -> Int[np.ndarray, "q k"]:
        """The keys of a unit."""
        return read_arrays(path, unit.key)["keys"]

    def _check_there(self, rows: range) -> None:
        vectors = self._embeddings.vectors
        assert isinstance(vectors, ShardedVectors)  # noqa: S101  (``_in_files`` made it)
        for file in vectors.files_of(rows):
            if not file.is_file():
                raise UserError(
                    f"{file}: the machine {socket.gethostname()} does not see this file; embeddings must be on a file "
                    "system that all machines of the cluster share"
                )


def _in_files(embeddings: Embeddings) -> Embeddings | None:
    """The same embeddings as files that other processes open; None where they are in memory."""
    vectors = embeddings.vectors
    if isinstance(vectors, ShardedVectors):
        return embeddings
    if maps_a_file(vectors):
        return Embeddings(ShardedVectors([str(vectors.filename)]), embeddings.clip_name)
    return None
