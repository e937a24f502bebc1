"""Index files, our own and those of other tools, read without holding them in memory."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.faiss_calls import inverted_lists, said_by_faiss

logger = logging.getLogger(__name__)
_LEAST_LIMIT = 2**26  # bytes


def read_index(path: str | Path, nprobe: int | None = None) -> Any:
    """Map an index file into memory: what a search does not touch is not read, and other processes share it.

    ``IO_FLAG_MMAP_IFC`` maps flat vectors, codes, graphs and inverted lists alike, with the same results as reading;
    ``IO_FLAG_MMAP`` leaves all but inverted lists in memory. ``docs/adr/0010`` has the figures.

    Args:
        path: the file.
        nprobe: inverted lists that a query reads, where the index has some; without it the file's number holds.

    Raises:
        UserError: if it is not there or FAISS cannot read it.
    """
    import faiss

    if not Path(path).is_file():
        raise UserError(f"{path}: there is no such index file; name the file that faiss.write_index wrote")
    try:
        index = _read(Path(path), faiss.IO_FLAG_MMAP_IFC)
    except (RuntimeError, MemoryError) as unmapped:
        try:
            index = _read(Path(path), 0)
        except (RuntimeError, MemoryError) as error:
            raise UserError(
                f"{path}: FAISS {faiss.__version__} cannot read this index ({said_by_faiss(error)}); "
                "give a whole file that faiss.write_index wrote"
            ) from error
        logger.info("%s cannot be mapped and is held in memory: %s", path, said_by_faiss(unmapped))
    lists = inverted_lists(index)
    if nprobe is not None and lists is not None:
        lists.nprobe = min(nprobe, lists.nlist)
    return index


def _read(path: Path, flags: int) -> Any:
    """Read a file whose parts are not far larger than it: FAISS takes the memory it is told before it reads."""
    import faiss

    size = max(4 * path.stat().st_size, _LEAST_LIMIT)  # of half a file FAISS shall find the end, and say so
    before = faiss.get_deserialization_vector_byte_limit(), faiss.get_deserialization_loop_limit()
    faiss.set_deserialization_vector_byte_limit(size)
    faiss.set_deserialization_loop_limit(size)
    try:
        return faiss.read_index(str(path), flags)
    finally:
        faiss.set_deserialization_vector_byte_limit(before[0])
        faiss.set_deserialization_loop_limit(before[1])


def write_index(faiss_index: Any, path: str | Path) -> None:
    """Write an index file."""
    import faiss

    faiss.write_index(faiss_index, str(path))


def index_bytes(faiss_index: Any) -> int:
    """How long the file of an index is, without writing it."""
    import faiss

    length = 0

    def count(written: bytes) -> None:
        nonlocal length
        length += len(written)

    faiss.write_index(faiss_index, faiss.PyCallbackIOWriter(count))  # type: ignore[attr-defined]
    return length
