"""A FAISS index over a pool's CLIP embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Embeddings:
    """CLIP embeddings of a pool's images.

    Args:
        vectors: unit vectors; row i belongs to row i of the pool.
        clip_name: the model that made them.
        seconds: that it took.
    """

    vectors: Float[np.ndarray, "n d"]
    clip_name: str
    seconds: float = 0.0


@dataclass(frozen=True)
class VectorIndex:
    """Unit vectors searched by inner product.

    Args:
        faiss_index: the index; entry i is row i of the pool.
        clip_name: the CLIP model whose embeddings it holds.
    """

    faiss_index: Any
    clip_name: str

    def __len__(self) -> int:
        return self.faiss_index.ntotal

    def search(
        self, queries: Float[np.ndarray, "q d"], k: int
    ) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
        """Similarities and pool rows of the k nearest images of each query, nearest first.

        Raises:
            ValueError: if the index holds fewer than k vectors.
        """
        if k > len(self):
            raise ValueError(f"asked for {k} neighbours of an index that holds {len(self)}")
        return self.faiss_index.search(np.ascontiguousarray(queries, dtype=np.float32), k)

    def vectors(self, rows: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n d"]:
        """The embeddings of these pool rows."""
        return self.faiss_index.reconstruct_batch(np.ascontiguousarray(rows, dtype=np.int64))


def build_index(embeddings: Embeddings) -> VectorIndex:
    """An exact inner-product index."""
    import faiss

    index = faiss.IndexFlatIP(embeddings.vectors.shape[1])
    index.add(np.ascontiguousarray(embeddings.vectors, dtype=np.float32))
    return VectorIndex(index, embeddings.clip_name)
