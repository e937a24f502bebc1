"""The members of a tar file, read once from front to back; what could harm is refused and counted."""

from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

LARGEST_MEMBER = 64_000_000  # bytes
BROKEN_SHARD = "broken shard"
_BLOCK = 512
# Long names and attributes lie in headers of their own, which `tarfile` reads whole into memory and searches with
# an expression that takes seconds for 64 KiB of digits. A path has 4,096 bytes at most, a link's target as many.
_LARGEST_HEADER = 16_384
_EXTENDED = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


def tar_members(
    path: Path, faults: Counter[str], wanted: Callable[[PurePosixPath], int]
) -> Iterator[tuple[PurePosixPath, bytes | None]]:
    """Name and content of each regular file.

    Nothing is written anywhere. Links, devices, names that climb out of the archive, and files that are too large
    are left out and counted. Of a truncated or damaged archive comes what is before the damage; it counts as one
    broken shard.

    Args:
        path: an archive that is not compressed.
        faults: counts what is left out, by reason.
        wanted: bytes that a file of this name has at most to be read; 0 for one whose content is not wanted, which
            comes as None.
    """
    try:
        length = path.stat().st_size
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|", tarinfo=_Header) as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # or it remembers all of them
                if member.size < 0 or archive.offset >= length + _BLOCK:  # `tarfile` would look for its end for hours
                    raise tarfile.ReadError("a member that is no part of the archive")
                if member.isdir():
                    continue
                name = PurePosixPath(member.name)
                refused = _refused(member, name)
                limit = 0 if refused else min(wanted(name), LARGEST_MEMBER)
                if limit and member.size > limit:
                    refused = "too large a file"
                if refused:
                    faults[refused] += 1
                    continue
                yield name, archive.extractfile(member).read() if limit else None  # type: ignore[union-attr]
            end = archive.offset
        if not _ends_well(path, end):
            faults[BROKEN_SHARD] += 1
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, RecursionError):
        faults[BROKEN_SHARD] += 1


class _Header(tarfile.TarInfo):
    """Refuses an archive whose headers are made to take memory or time."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        """A header of one block."""
        header = super().frombuf(buf, encoding, errors)
        if header.size < 0 or (header.type in _EXTENDED and header.size > _LARGEST_HEADER):
            raise tarfile.ReadError("a header that is no honest one")
        return header


def _refused(member: tarfile.TarInfo, name: PurePosixPath) -> str | None:
    if not member.isreg() or member.issparse():
        return "a link or no regular file"
    return "a name that climbs out" if name.is_absolute() or ".." in name.parts else None


def _ends_well(path: Path, end: int) -> bool:
    """Whether the archive's end mark is where reading stopped: ``tarfile`` takes a damaged header for the end."""
    with path.open("rb") as file:
        file.seek(end)
        return file.read(_BLOCK) == bytes(_BLOCK)
