"""How much an approximate index misses: its neighbours against those of comparing everything."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.embeddings import Embeddings
    from retrieval_vs_diffusion.models.vector_index import VectorIndex

_TIE = 1e-6  # similarities in single precision that differ by less count as equal


def measure_recall(
    index: VectorIndex, embeddings: Embeddings, queries: Float[np.ndarray, "q d"], k: int
) -> dict[str, float | int | str]:
    """Recall@k against exact search, with size and speed.

    A found row counts if it is as near to its query as the k-th of the exact search, so that of equals any will do.
    Exact search reads the embeddings in batches, one pass for all queries; it takes q x (k + a batch) similarities
    of memory. An exact index needs none: its recall is 1.

    Args:
        index: over the embeddings.
        embeddings: of the pool.
        queries: unit vectors, e.g. of prompts or of some of the pool's own images; at least one.
        k: neighbours; where the pool holds fewer, all of them.

    Returns:
        ``recall`` in [0, 1]; ``k`` and ``queries``, their numbers; ``index_bytes``; ``seconds_per_query`` of the
        index and ``exact_seconds_per_query``, both for all queries in one search; ``index``, in words.
    """
    from retrieval_vs_diffusion.models.index_file import index_bytes

    k = min(k, len(index))
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    started = time.perf_counter()
    _, rows = index.search(queries, k)
    seconds = exact_seconds = time.perf_counter() - started
    recall = 1.0
    if not index.exact and k:
        started = time.perf_counter()
        least = exact_similarities(embeddings, queries, k)[:, -1]
        exact_seconds = time.perf_counter() - started
        recall = _recall(rows, least, embeddings, queries)
    return {
        "recall": recall,
        "k": k,
        "queries": len(queries),
        "index_bytes": index.path.stat().st_size if index.path else index_bytes(index.faiss_index),
        "seconds_per_query": seconds / len(queries),
        "exact_seconds_per_query": exact_seconds / len(queries),
        "index": index.described,
    }


def exact_similarities(embeddings: Embeddings, queries: Float[np.ndarray, "q d"], k: int) -> Float[np.ndarray, "q k"]:
    """The k highest similarities of each query, highest first, with one pass over the embeddings."""
    best = np.full((len(queries), 0), -np.inf, dtype=np.float32)
    for batch in embeddings.batches():
        together = np.concatenate([best, queries @ batch.T], axis=1)
        kept = min(k, together.shape[1])
        best = np.partition(together, together.shape[1] - kept, axis=1)[:, together.shape[1] - kept :]
    return -np.sort(-best, axis=1)


def _recall(rows: np.ndarray, least: np.ndarray, embeddings: Embeddings, queries: np.ndarray) -> float:
    hits = 0
    for query, found, floor in zip(queries, rows, least, strict=True):
        there = np.unique(found[found >= 0])
        hits += int((embeddings.rows(there) @ query >= floor - _TIE).sum())
    return hits / rows.size
