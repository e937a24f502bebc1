"""Local copies of remote files: fetched whole when they are wanted, the ones that were used last kept."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from retrieval_vs_diffusion.atomic import clear_partial, replacing
from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.artifact_lock import alone_with
from retrieval_vs_diffusion.least_recently_used import lacking_on_disk, room_for
from retrieval_vs_diffusion.remote.leases import NAME, Leases
from retrieval_vs_diffusion.remote.store import Stored, fetch, stored_at

logger = logging.getLogger(__name__)
_FULL_TO = 0.9  # of the limit after making room, so that not every file makes some
_COUNTED_AFTER = 0.05  # of the limit: what is fetched until all copies are counted again
_LEFT_FREE = 0.02  # of the disk: what else a run writes must not fail for want of room
_MD5 = re.compile(r"[0-9a-f]{32}")


class RemoteCache:
    """A folder of copies, found by address, size and version: none can be out of date.

    A copy's name is a digest, so that no name in a store decides where something is written. The folder may be removed
    while nothing runs.

    Args:
        folder: on a disk that may be shared.
        at_most: bytes of all copies together; those that were not used for longest are removed, but for those in use.
    """

    def __init__(self, folder: Path, at_most: int) -> None:
        self.folder = folder
        self._at_most = at_most
        self._leases = Leases(folder / "in_use")
        self._fetching = [threading.Lock() for _ in range(256)]  # by the beginning of a name
        self._thread_lock = threading.Lock()
        self._bytes: int | None = None  # of all copies, as far as this process knows
        self._fetched = 0  # bytes, since they were counted

    def file(self, address: str, stored: Stored, kept: bool = False) -> Path:
        """The local copy of a file, fetched unless it is there.

        Args:
            address: of the file.
            stored: what its store said of it; the copy is of this size and version.
            kept: whether this process uses it as long as it lives, and not only opens it now.

        Raises:
            UserError: if it is not there any more, has changed meanwhile, cannot be fetched, or there is no room.
        """
        name = hashlib.sha256(repr((address, stored.size, stored.version)).encode()).hexdigest()[:NAME]
        # The ending, for what tells a file's kind by it.
        place = self.folder / name[:2] / f"{name}{_ending(address)}"
        with self._fetching[int(name[:2], 16)]:  # of threads: the system's locks are between processes alone
            self._lease(name, kept)
            if not _is_whole(place, stored):
                with alone_with(place, "fetching a remote file", quiet=True):
                    if not _is_whole(place, stored):
                        self._fetch(address, stored, place)
        with contextlib.suppress(OSError):
            os.utime(place)  # it was used now
        return place

    def _lease(self, name: str, kept: bool) -> None:
        try:
            self._leases.add(name, kept)
        except OSError as error:
            raise UserError(
                f"{self.folder}: cannot be written to ({error.strerror or error}); copies of remote files are kept "
                "there: give this user the right to write, or set remote.folder"
            ) from error

    def _fetch(self, address: str, stored: Stored, place: Path) -> None:
        self._make_room(address, stored.size)
        clear_partial(place)  # of killed processes: the lock is ours
        with replacing(place) as partial:
            fetch(address, partial)
            _check(address, stored, partial)
        with self._thread_lock:
            self._fetched += stored.size
            if self._bytes is not None:
                self._bytes += stored.size
            if self._fetched > _COUNTED_AFTER * self._at_most:  # other processes fetch too
                self._bytes, self._fetched = None, 0

    def _make_room(self, address: str, needed: int) -> None:
        """Remove what was not used for longest until there is room.

        Raises:
            UserError: if there cannot be.
        """
        with self._thread_lock:
            if self._bytes is None:
                self._bytes = sum(size for _, size, _ in self._copies())
            lacking = lacking_on_disk(self.folder, needed, _LEFT_FREE)
            if self._bytes + needed <= self._at_most and lacking <= 0:
                return
            kept = [(copy, size) for _, size, copy in sorted(self._copies())]
            in_use, full_to = self._leases.in_use(), _FULL_TO * self._at_most
            room = room_for(needed, kept, full_to, lacking, lambda copy: copy.name[:NAME] not in in_use)
            too_much = room.held + needed > self._at_most
            self._bytes = sum(size for _, size in kept)
            if not too_much and room.lacking <= 0:  # else nothing is removed for nothing
                self._bytes = room.held
                for copy in room.to_remove:
                    if copy.name[:NAME] not in self._leases.in_use():
                        copy.unlink(missing_ok=True)
        if too_much:
            raise UserError(
                f"{address}: {needed / 1e9:.3g} GB, but the cache {self.folder} may hold {self._at_most / 1e9:.3g} "
                f"GB, of which {room.held / 1e9:.3g} GB are in use; a larger remote.at_most_gb will do"
            )
        if room.lacking > 0:
            raise UserError(
                f"{address}: {needed / 1e9:.3g} GB, for which the disk of {self.folder} has no room; free some, or set "
                "remote.folder to another disk"
            )

    def _copies(self) -> Iterator[tuple[int, int, Path]]:
        """When each copy was used last, its bytes and its place."""
        for folder, _, names in os.walk(self.folder):
            if len(os.path.basename(folder)) != 2 or os.path.dirname(folder) != str(self.folder):
                continue
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    about = os.stat(os.path.join(folder, name))
                    if not name.startswith("."):
                        yield about.st_mtime_ns, about.st_size, Path(folder, name)


def _is_whole(place: Path, stored: Stored) -> bool:
    try:
        return place.stat().st_size == stored.size
    except OSError:
        return False


def _check(address: str, stored: Stored, file: Path) -> None:
    """Check that what was fetched is what the store told of before.

    The ETag of a file that was not sent in parts, nor encrypted with a key of its own, is the MD5 of its content; of
    others the store is asked once more.
    """
    changed = UserError(f"{address}: has changed while it was read; run the same command again")
    if file.stat().st_size != stored.size:
        raise changed
    if _MD5.fullmatch(stored.version):
        with file.open("rb") as opened:
            if hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == stored.version:
                return
    if stored_at(address) != stored:
        raise changed


def _ending(address: str) -> str:
    ending = PurePosixPath(address).suffix
    return ending if re.fullmatch(r"\.[A-Za-z0-9]{1,12}", ending) else ""


_settings: tuple[Path, int] | None = None
_caches: dict[tuple[int, Path, int], RemoteCache] = {}  # by process: locks and leases do not come through a fork


def keep_in(folder: Path, at_most: int) -> None:
    """Keep copies in a folder from now on, at most so many bytes."""
    global _settings
    _settings = folder, at_most


def current_cache() -> RemoteCache:
    """Where copies are kept; in the user's own folder for caches where nothing was said."""
    own = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder, at_most = _settings or (Path(own, "retrieval_vs_diffusion", "remote"), 100 * 10**9)
    key = (os.getpid(), folder, at_most)
    if key not in _caches:
        _caches[key] = RemoteCache(folder, at_most)
    return _caches[key]
