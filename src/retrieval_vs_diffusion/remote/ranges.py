"""Reading a little of a remote file, such as a table's columns, without fetching all of it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from retrieval_vs_diffusion.remote.remote_path import RemotePath
from retrieval_vs_diffusion.remote.store import read_range

_AT_LEAST = 65_536  # bytes that are asked for: the way there and back takes longer than they do


@contextlib.contextmanager
def opened_in_part(file: Path) -> Iterator[Any]:
    """A file for Arrow to look into: on the disk its path; of a remote one the parts are asked for one by one."""
    if isinstance(file, RemotePath):
        with io.BufferedReader(_Ranges(file), _AT_LEAST) as opened:
            yield opened
    else:
        yield file


class _Ranges(io.RawIOBase):
    def __init__(self, file: RemotePath) -> None:
        self._address = str(file)
        self._size = file.stored().size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        end = min(self._at + len(buffer), self._size)
        data = read_range(self._address, self._at, end) if end > self._at else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
