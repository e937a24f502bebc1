"""Adding vectors to a trained FAISS index, in parts that a killed run need not add again."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.models.faiss_calls import inverted_lists, said_by_faiss
from retrieval_vs_diffusion.models.index_file import write_index
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.unfinished import BrokenUnitError, unfinished

ROWS_PER_PART = 1_000_000


def filled(index: Any, embeddings: Embeddings, description: str, rows_per_part: int = ROWS_PER_PART) -> Any:
    """A trained index with all vectors; the same bytes as if they had been added one after the other.

    With inverted lists a part is a unit of unfinished work, merged into the whole at the end. Flat vectors are copied
    at the speed of memory, and graphs cannot be merged: they are filled in one go.
    """
    import faiss

    kept = unfinished().section("filled")
    if not kept.is_kept or len(embeddings) <= rows_per_part or not _can_be_merged(index):
        for batch in progress(embeddings.batches(), description):
            index.add(batch)
        return index
    empty = faiss.clone_index(index)
    for number, start in enumerate(progress(range(0, len(embeddings), rows_per_part), f"{description} (parts)")):
        part = kept.find(number, read_unit)
        if part is None:
            part = faiss.clone_index(empty)
            _add_rows(part, embeddings, start, min(start + rows_per_part, len(embeddings)))
            kept.keep(number, partial(write_index, part))
        index.merge_from(part, index.ntotal)
    return index


def _can_be_merged(index: Any) -> bool:
    import faiss

    lists = inverted_lists(index)
    if lists is None or isinstance(faiss.downcast_index(lists), faiss.IndexIVFFastScan):
        return False  # merged fast-scan lists hold other bytes between their blocks
    try:
        index.check_compatible_for_merge(faiss.clone_index(index))
    except RuntimeError:  # e.g. one that keeps the vectors beside its lists, to refine what they find
        return False
    return True


def _add_rows(index: Any, embeddings: Embeddings, start: int, end: int) -> None:
    at_once = 2**26 // (4 * max(1, embeddings.width))
    for first in range(start, end, at_once):
        index.add(embeddings.rows(np.arange(first, min(first + at_once, end))))


def read_unit(path: Path) -> Any:
    """Read an index that was kept.

    Raises:
        BrokenUnitError: if FAISS cannot read it.
    """
    import faiss

    try:
        return faiss.read_index(str(path))
    except RuntimeError as error:
        raise BrokenUnitError(said_by_faiss(error)) from error
