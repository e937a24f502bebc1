"""Searching an index on a GPU, where there is one and it takes the index."""

from __future__ import annotations

import logging
from typing import Any

from retrieval_vs_diffusion.models.faiss_calls import said_by_faiss

logger = logging.getLogger(__name__)

# FAISS selects no more neighbours than this on a GPU (its wiki, "Faiss on the GPU").
MOST_NEIGHBOURS = 2048


class GpuSearch:
    """A copy of an index on the first GPU, made at the first search.

    Kinds that FAISS has for the CPU alone (HNSW, fast-scan), and indexes that the GPU has no memory for, are
    searched on the CPU, and a log line says so once.
    """

    def __init__(self) -> None:
        self._tried = False
        self._resources: Any = None  # must live as long as the copy
        self._copy: Any = None

    def index_for(self, faiss_index: Any, k: int) -> Any:
        """What to search for k neighbours: the copy on the GPU, or the index itself."""
        if k > MOST_NEIGHBOURS:
            return faiss_index
        if not self._tried:
            self._tried = True
            self._to_gpu(faiss_index)
        return self._copy if self._copy is not None else faiss_index

    def give_up(self, error: RuntimeError) -> None:
        """Search on the CPU from here on: the GPU has memory for the index but not for the search."""
        logger.warning("The index is searched on the CPU from here on; its GPU says: %s", said_by_faiss(error))
        self._copy = self._resources = None

    def _to_gpu(self, faiss_index: Any) -> None:
        import faiss

        if not faiss.get_num_gpus():
            return
        try:
            self._resources = faiss.StandardGpuResources()
            self._copy = faiss.index_cpu_to_gpu(self._resources, 0, faiss_index)
        except (RuntimeError, AssertionError, AttributeError) as error:
            logger.warning("The index is searched on the CPU; its GPU says: %s", said_by_faiss(error))
            return
        logger.info("The index is searched on a GPU")
