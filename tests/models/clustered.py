"""Vectors like a pool's: clusters on the sphere."""

from __future__ import annotations

import numpy as np

from retrieval_vs_diffusion.models.embeddings import Embeddings


def clustered(n: int = 2000, d: int = 16, clusters: int = 20, seed: int = 0) -> np.ndarray:
    """Unit vectors, [n, d]; each lies near one of the clusters' centres."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(clusters, d))
    return unit(centres[random.integers(0, clusters, n)] + 0.5 * random.normal(size=(n, d)))


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def embeddings_of(vectors: np.ndarray, clip_name: str = "toy_clip") -> Embeddings:
    return Embeddings(vectors, clip_name)
