"""A file or folder in an object store, as a path: questions are answered by listings, bytes come from the cache."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PosixPath
from typing import Annotated, Any, NoReturn

from pydantic import BeforeValidator

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.remote.address import is_remote, protocol_of
from retrieval_vs_diffusion.remote.cache import current_cache
from retrieval_vs_diffusion.remote.listing import listing_of
from retrieval_vs_diffusion.remote.store import Stored

_READS = frozenset("rbt")


class RemotePath(PosixPath):
    """A path whose text is its address and whose file-system path is that of a local copy, fetched when asked for.

    What only reads a ``Path`` need not know which it has: ``open``, ``stat``, ``iterdir``, ``glob`` of one step,
    ``rglob`` and what is asked of names work, and libraries that take a path (``os.fspath``) get a local file. It has
    no state but its parts, so it is pickled as any path; and it is only read: writing raises UserError.

    >>> str(RemotePath("s3://bucket/photos") / "cat" / "1.jpg")
    's3://bucket/photos/cat/1.jpg'
    """

    def __str__(self) -> str:
        if len(self.parts) > 1 and self.parts[0].endswith(":"):
            return f"{self.parts[0]}//{'/'.join(self.parts[1:])}"
        return super().__str__()  # joined with what is no name from it, which then lies nowhere

    def as_posix(self) -> str:
        """The address."""
        return str(self)

    def __fspath__(self) -> str:
        return str(self.local())

    def local(self, kept: bool = False) -> Path:
        """The local copy of this file.

        Args:
            kept: whether this process uses it as long as it lives.

        Raises:
            FileNotFoundError: if the listing has no such file.
            IsADirectoryError: if it is a folder.
            UserError: if it cannot be fetched as the listing told of it.
        """
        return current_cache().file(str(self), self.stored(), kept)

    def stored(self) -> Stored:
        """Size and version of this file; raises as ``local``."""
        listing, name = self._listed()
        if name in listing.files:
            return listing.files[name]
        if listing.is_folder(name):
            raise IsADirectoryError(errno.EISDIR, "is a folder", str(self))
        raise FileNotFoundError(errno.ENOENT, "there is no such file", str(self))

    def files_under(self) -> dict[str, Stored]:
        """All files under this folder by their names from it, in order; this file itself has the name ``""``."""
        listing, name = self._listed()
        return dict(sorted(listing.under(name)))

    def _listed(self) -> Any:
        protocol_of(str(self))
        return listing_of(str(self))

    def exists(self, **_: Any) -> bool:  # type: ignore[override]
        """Whether there is a file or folder."""
        return self.is_file() or self.is_dir()

    def is_file(self, **_: Any) -> bool:  # type: ignore[override]
        """Whether there is a file."""
        listing, name = self._listed()
        return name in listing.files

    def is_dir(self, **_: Any) -> bool:  # type: ignore[override]
        """Whether something lies under it: a store has no folders of their own."""
        listing, name = self._listed()
        return bool(listing.is_folder(name))

    def is_symlink(self) -> bool:
        """Never."""
        return False

    def stat(self, **_: Any) -> os.stat_result:  # type: ignore[override]
        """Kind and size; no times, for a copy of a collection is the same collection."""
        if self.is_dir():
            return os.stat_result((stat.S_IFDIR | 0o555, 0, 0, 1, 0, 0, 0, 0, 0, 0))
        return os.stat_result((stat.S_IFREG | 0o444, 0, 0, 1, 0, 0, self.stored().size, 0, 0, 0))

    def open(self, mode: str = "r", *arguments: Any, **keywords: Any) -> Any:  # type: ignore[override]
        """Open the local copy for reading."""
        if not set(mode) <= _READS:
            self._refuse()
        try:
            return open(self.local(), mode, *arguments, **keywords)
        except FileNotFoundError:
            self.stored()  # raises, if it is this that is not there
            return open(self.local(), mode, *arguments, **keywords)  # removed by another process just now

    def read_bytes(self) -> bytes:
        """The whole content."""
        with self.open("rb") as file:
            return bytes(file.read())

    def read_text(self, encoding: str | None = None, errors: str | None = None, **keywords: Any) -> str:  # type: ignore[override]
        """The whole content as text."""
        with self.open("r", encoding=encoding, errors=errors, **keywords) as file:
            return str(file.read())

    def iterdir(self) -> Iterator[RemotePath]:  # type: ignore[override]
        """The files and folders in this folder, in order."""
        listing, name = self._listed()
        if not listing.is_folder(name):
            raise NotADirectoryError(errno.ENOTDIR, "is no folder", str(self))
        return iter([self / inner for inner in listing.children[name]])

    def glob(self, pattern: str, **_: Any) -> Iterator[RemotePath]:  # type: ignore[override]
        """The files and folders in this folder whose names match; with ``*/`` before it, those one level deeper."""
        first, deeper, rest = pattern.partition("/")
        inside = [each for each in (self.iterdir() if self.is_dir() else ()) if fnmatchcase(each.name, first)]
        return iter([each for folder in inside for each in folder.glob(rest)] if deeper else inside)

    def rglob(self, pattern: str, **_: Any) -> Iterator[RemotePath]:  # type: ignore[override]
        """All files under this folder whose names match; what asks for this asks for files."""
        if not self.is_dir():
            return iter(())
        names = [name for name in self.files_under() if fnmatchcase(posixpath.basename(name), pattern)]
        return iter([self / name for name in names])

    def relative_to(self, *other: Any, **_: Any) -> Path:  # type: ignore[override]
        """The way from a folder above, as a plain path."""
        above = as_path(other[0])
        if not isinstance(above, RemotePath) or self.parts[: len(above.parts)] != above.parts:
            raise ValueError(f"{self} does not lie in {above}")
        return Path(*self.parts[len(above.parts) :])

    def is_relative_to(self, *other: Any) -> bool:  # type: ignore[override]
        """Whether it lies in a folder, or is it."""
        above = as_path(other[0])
        return isinstance(above, RemotePath) and self.parts[: len(above.parts)] == above.parts

    def absolute(self) -> RemotePath:
        """Itself."""
        return self

    def is_absolute(self) -> bool:
        """Always."""
        return True

    def expanduser(self) -> RemotePath:
        """Itself."""
        return self

    def resolve(self, strict: bool = False) -> RemotePath:
        """Without steps ``..``, which stay within the bucket."""
        within = posixpath.normpath(f"/{'/'.join(self.parts[2:])}").lstrip("/")
        return RemotePath(*self.parts[:2], within) if within else RemotePath(*self.parts[:2])

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise UserError(f"{self}: is only read here; what a run makes is written to a disk, so give a folder on one")

    mkdir: Callable[..., NoReturn] = _refuse
    touch: Callable[..., NoReturn] = _refuse
    unlink: Callable[..., NoReturn] = _refuse
    rmdir: Callable[..., NoReturn] = _refuse
    rename: Callable[..., NoReturn] = _refuse
    replace: Callable[..., NoReturn] = _refuse
    chmod: Callable[..., NoReturn] = _refuse
    symlink_to: Callable[..., NoReturn] = _refuse
    hardlink_to: Callable[..., NoReturn] = _refuse
    write_bytes: Callable[..., NoReturn] = _refuse
    write_text: Callable[..., NoReturn] = _refuse


def as_path(written: str | os.PathLike[str]) -> Path:
    """What a user wrote as a path: an address in a store, or a path on the disk.

    Raises:
        UserError: if it is an address of no store that can be read.
    """
    if isinstance(written, Path):
        return written
    if is_remote(written):
        address = str(written)
        protocol = protocol_of(address)
        return RemotePath(f"{protocol}:", *filter(None, address[len(protocol) + 3 :].split("/")))
    return Path(written)


def _as_place(value: Any) -> Any:
    return as_path(value) if is_remote(value) else value


# A part's field that takes a path of the user's: an address in a store too.
AnyPath = Annotated[Path, BeforeValidator(_as_place)]
