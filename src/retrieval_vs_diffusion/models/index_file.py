"""Index files, our own and those of other tools, read without holding them in memory."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.faiss_calls import inverted_lists, said_by_faiss
from retrieval_vs_diffusion.remote.remote_path import as_path

logger = logging.getLogger(__name__)
_LEAST_LIMIT = 2**26  # bytes
_SEARCHED = 2**30  # bytes; to search a larger index takes long
_LONGEST_TRIAL = 600  # seconds


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

    path = as_path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such index file; name the file that faiss.write_index wrote")
    try:
        index = _read(path, faiss.IO_FLAG_MMAP_IFC)
    except (RuntimeError, MemoryError) as unmapped:
        try:
            index = _read(path, 0)
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


def check_survives(path: str | Path) -> None:
    """Read an index of someone else's in a process of its own first: 26 bytes can end the one that reads them.

    FAISS believes much of what a file says. One of up to 1 GB is searched there, too.

    Raises:
        UserError: if that process was ended, or did not end.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", f"from {__name__} import try_index; try_index()", os.fspath(as_path(path))]
    try:
        code = subprocess.run(command, env=environment, capture_output=True, timeout=_LONGEST_TRIAL).returncode  # noqa: S603  (our own code)
    except subprocess.TimeoutExpired:
        code = None
    if code is None or code < 0:
        found = f"did not end within {_LONGEST_TRIAL} s" if code is None else f"was ended by the signal {-code}"
        raise UserError(
            f"{path}: a process in which FAISS was to read this index {found}; give a file that faiss.write_index wrote"
        )


def try_index() -> None:
    """What the process of ``check_survives`` does with the file that its command line names."""
    import faiss
    import numpy as np

    path = Path(sys.argv[1])
    faiss.omp_set_num_threads(1)
    index = read_index(path)
    if index.ntotal and path.stat().st_size <= _SEARCHED:
        index.search(np.ones((2, index.d), dtype=np.float32), min(5, index.ntotal))


def _read(path: Path, flags: int) -> Any:
    """Read a file whose parts are not far larger than it: FAISS takes the memory it is told before it reads."""
    import faiss

    size = max(4 * path.stat().st_size, _LEAST_LIMIT)  # of half a file FAISS shall find the end, and say so
    before = faiss.get_deserialization_vector_byte_limit(), faiss.get_deserialization_loop_limit()
    faiss.set_deserialization_vector_byte_limit(size)
    faiss.set_deserialization_loop_limit(size)
    try:
        return faiss.read_index(os.fspath(path), flags)
    finally:
        faiss.set_deserialization_vector_byte_limit(before[0])
        faiss.set_deserialization_loop_limit(before[1])


def write_index(faiss_index: Any, path: str | Path) -> None:
    """Write an index file."""
    import faiss

    faiss.write_index(faiss_index, str(path))


def index_bytes(faiss_index: Any | None) -> int:
    """How long the file of an index is, without writing it; 0 of None, no index."""
    import faiss

    if faiss_index is None:
        return 0

    length = 0

    def count(written: bytes) -> None:
        nonlocal length
        length += len(written)

    faiss.write_index(faiss_index, faiss.PyCallbackIOWriter(count))  # type: ignore[attr-defined]
    return length
