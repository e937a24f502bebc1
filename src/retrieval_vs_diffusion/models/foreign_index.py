"""Whether an index that other tools made can be searched here, and holds what it is said to hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.faiss_calls import inverted_lists, said_by_faiss
from retrieval_vs_diffusion.models.index_file import check_survives, read_index
from retrieval_vs_diffusion.models.index_settings import IndexSettings, choose_nprobe
from retrieval_vs_diffusion.remote.remote_path import as_path

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.embeddings import Embeddings
    from retrieval_vs_diffusion.models.vector_index import VectorIndex

_TRIED = 64  # rows of the pool that are searched for
_NEIGHBOURS = 5
_FEWEST = 50  # in smaller pools five random rows are too often near ones
_LEAST_SHARE = 0.8  # of tried rows; if rows and entries have nothing to do with each other, half +- 0.06 (one s.d.)
_LEAST_SELF_SIMILARITY = 0.3  # of a unit vector to itself, through the coarsest codes in use


def open_foreign(path: str | Path, nprobe: int | None = None) -> Any:
    """Map an index file, and give a search the number of inverted lists it needs.

    Raises:
        UserError: if it cannot be read, ends a process that reads it, or compares by another metric than inner
            product or L2 distance.
    """
    import faiss

    if as_path(path).is_file():
        check_survives(path)
    index = read_index(path, nprobe)
    if index.metric_type not in (faiss.METRIC_INNER_PRODUCT, faiss.METRIC_L2):
        raise UserError(
            f"{path}: compares by FAISS's metric {index.metric_type}; give an index with inner product, or with L2 "
            "distance over unit vectors"
        )
    lists = inverted_lists(index)
    if lists is not None and nprobe is None and lists.nprobe == 1:  # nobody chose it: FAISS begins with it
        lists.nprobe = choose_nprobe(lists.nlist, IndexSettings())
    return index


def check_holds(index: VectorIndex, embeddings: Embeddings) -> None:
    """Search for some rows of the pool: what comes must be nearer to them than random rows are.

    That finds an index over other embeddings of the same number, and one in another order. The distances of an
    L2 index give cosines only if its vectors have unit length, and a row of zeros would come out as near in it.

    Raises:
        UserError: if the index cannot be searched, or does not hold these embeddings, row for row.
    """
    import faiss

    l2 = index.faiss_index is not None and index.faiss_index.metric_type == faiss.METRIC_L2
    if l2 and embeddings.broken:
        raise UserError(
            f"{index.path}: compares by L2 distance, to which the {embeddings.broken} broken rows of "
            f"{embeddings.origin} are near; build the index with inner product"
        )
    if len(index) < _FEWEST:
        _search(index, embeddings.rows(np.arange(len(index))), min(len(index), _NEIGHBOURS))
        return
    random = np.random.default_rng(0)
    tried = embeddings.rows(np.sort(random.choice(len(index), _TRIED, replace=len(index) < _TRIED)))
    tried = tried[tried.any(axis=1)]
    if not len(tried):
        return
    similarities, rows = _search(index, tried, _NEIGHBOURS)
    found = _mean_similarity(tried, rows, embeddings)
    by_chance = _mean_similarity(tried, random.integers(0, len(index), rows.shape), embeddings)
    share = float((found > by_chance).mean())
    if share < _LEAST_SHARE:
        raise UserError(
            f"{index.path}: does not hold {embeddings.origin} row for row (for {share:.0%} of tried rows what it "
            "finds is nearer than random rows are); give embeddings and index of the same images, in the same order"
        )
    if l2 and np.median(similarities[:, 0]) < _LEAST_SELF_SIMILARITY:
        raise UserError(
            f"{index.path}: compares by L2 distance, and its vectors do not have unit length like those of "
            f"{embeddings.origin} as we read them; build the index with inner product, over unit vectors"
        )


def _search(index: VectorIndex, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        return index.search(queries, k)
    except (RuntimeError, MemoryError) as error:
        raise UserError(
            f"{index.path}: FAISS read this index and cannot search it ({said_by_faiss(error)}); "
            "give a whole file that faiss.write_index wrote"
        ) from error


def _mean_similarity(queries: np.ndarray, rows: np.ndarray, embeddings: Embeddings) -> np.ndarray:
    """Mean cosine of each query with its rows; rows of -1 count as opposite."""
    vectors = embeddings.rows(rows.clip(min=0).ravel()).reshape(*rows.shape, -1)
    cosines = np.einsum("qd,qkd->qk", queries, vectors)
    return np.where(rows < 0, -1, cosines).mean(axis=1)
