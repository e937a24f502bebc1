"""What FAISS says when it refuses, in one line, and what it says of an index."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any


def said_by_faiss(error: Exception) -> str:
    """The last part of FAISS's message: without the function and source line where it arose."""
    text = " ".join(str(error).split())
    said = re.split(r" at /\S+?:\d+: ", text)[-1]
    return re.sub(r"^Error: '.*?' failed: (?=\S)", "", said).strip()


@contextlib.contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Let FAISS use so many threads meanwhile; None leaves its choice. The number holds for the whole process."""
    import faiss

    before = faiss.omp_get_max_threads()
    if number is not None:
        faiss.omp_set_num_threads(number)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def inverted_lists(faiss_index: Any) -> Any | None:
    """The part of an index that holds inverted lists (IVF), also behind a transformation; None where there is none."""
    import faiss

    try:
        return faiss.try_extract_index_ivf(faiss_index)
    except (RuntimeError, TypeError):
        return None


def factory_of(faiss_index: Any) -> str:
    """The factory string that makes such an index, or its class where FAISS cannot tell."""
    from faiss.contrib.factory_tools import reverse_index_factory

    try:
        return reverse_index_factory(faiss_index)
    except Exception:  # it is an experiment of FAISS's, and fails on what it does not know in many ways
        return type(faiss_index).__name__
