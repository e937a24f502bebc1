"""Exact search without an index: the embeddings go by once, and each query keeps its nearest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from retrieval_vs_diffusion.models import near_pairs
from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.models.near_pairs import CpuPairs, GpuPairs, NearPairs
from retrieval_vs_diffusion.models.read_ahead import read_blocks
from retrieval_vs_diffusion.models.running_best import RunningBest
from retrieval_vs_diffusion.progress import progress

if TYPE_CHECKING:
    import torch

BLOCK_BYTES = 2**24  # of single-precision vectors that are read at once
_PAIRS = 1024  # whose similarity is computed in double precision at once
_UNIT_ROUNDOFF = 2.0**-24  # of single precision


def streamed_search(
    embeddings: Embeddings,
    queries: Float[np.ndarray, "q d"],
    k: int,
    block_bytes: int = BLOCK_BYTES,
    device: torch.device | None = None,
) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
    """Similarities and rows of the k nearest vectors of each query, nearest first, of equals the lowest row first.

    All queries share one pass over the embeddings. A product in single precision finds the rows that may be among the
    k nearest: those that come within its largest possible rounding error of the kth so far. Only their similarities
    are then computed, in double precision, and rounded to single. So the answer does not depend on the size of a
    block, on other queries, on the number of threads, or on the device. Broken vectors, which are zeros, are never
    found: where there are fewer than k others, row -1 with similarity -inf stands at the end.

    Takes memory for about three blocks and 12 bytes for each of q x k answers; the pool's size does not matter.

    Args:
        embeddings: of the pool; at most 2^32 vectors.
        queries: all of them, of any length.
        k: neighbours of each, at least 1.
        block_bytes: of single-precision vectors that are read at once.
        device: a GPU for the product; without it NumPy's product on the CPU.

    Raises:
        UserError: if a file of the embeddings cannot be read.
    """
    size = _rows_at_once(embeddings, block_bytes)
    blocks = progress(read_blocks(embeddings, size), "searching all embeddings (blocks)", -(-len(embeddings) // size))
    return _best(blocks, 0, queries, k, device).sorted()


def best_of_rows(
    embeddings: Embeddings,
    queries: Float[np.ndarray, "q d"],
    k: int,
    rows: range,
    block_bytes: int = BLOCK_BYTES,
    device: torch.device | None = None,
) -> RunningBest:
    """What ``streamed_search`` finds in some rows of the pool, one after the other."""
    blocks = read_blocks(embeddings, _rows_at_once(embeddings, block_bytes), rows)
    return _best(blocks, rows.start, queries, k, device)


def _best(
    blocks: Iterator[tuple[Float[np.ndarray, "m d"], int]],
    first: int,
    queries: Float[np.ndarray, "q d"],
    k: int,
    device: torch.device | None,
) -> RunningBest:
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    exact = queries.astype(np.float64)
    best = RunningBest(len(queries), k)
    pairs: NearPairs = CpuPairs(queries) if device is None else GpuPairs(queries, device)
    # Higham, Accuracy and Stability of Numerical Algorithms, 3.1; the vectors' lengths are within 1e-3 of 1.
    terms = queries.shape[1] + 4
    errors = (1.01 * terms * _UNIT_ROUNDOFF * np.linalg.norm(exact, axis=1)).astype(np.float32)
    for block, broken in blocks:
        pairs.load(block, np.flatnonzero(~block.any(axis=1)) if broken else np.zeros(0, np.int64))
        for rows in _slices(len(block), near_pairs.ROWS):
            for some in _slices(len(queries), near_pairs.QUERIES):
                of_query, of_row = pairs.above(some, rows, best.floors[some], errors[some], k)
                for part in _slices(len(of_query), near_pairs.ROWS * 64):
                    asked, found = of_query[part] + some.start, of_row[part] + rows.start
                    best.add(asked, found + first, _similarities(exact, block, asked, found))
        first += len(block)
    return best


def _rows_at_once(embeddings: Embeddings, block_bytes: int) -> int:
    return max(1, block_bytes // (4 * max(1, embeddings.width)))


def _slices(length: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def _similarities(
    queries: Float[np.ndarray, "q d"],
    block: Float[np.ndarray, "m d"],
    of_query: Int[np.ndarray, " p"],
    of_row: Int[np.ndarray, " p"],
) -> Float[np.ndarray, " p"]:
    """Inner products of pairs; each is summed in double precision in the same order, whatever stands beside it."""
    found = np.empty(len(of_row), dtype=np.float32)
    for some in _slices(len(of_row), _PAIRS):
        vectors = block[of_row[some]].astype(np.float64)
        found[some] = np.einsum("pd,pd->p", queries[of_query[some]], vectors)
    return found
