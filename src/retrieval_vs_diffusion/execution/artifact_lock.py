"""A lock on an artifact, so that of several runs on one folder one makes it and the others wait.

The system gives the lock back however its process ends, so that a dead owner never keeps it; on a folder that machines
share, their file server does. Nobody is judged by a host's name and a process's number, which stand in the lock to be
read by people. It is a POSIX lock and not flock: that one would pass to forked workers, and live on in them
(``docs/adr/0014``).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from retrieval_vs_diffusion.errors import UserError

logger = logging.getLogger(__name__)
_SECONDS_BETWEEN_TRIES = 0.05
_HELD = {errno.EACCES, errno.EAGAIN}
_WITHOUT = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
_GIVEN_BACK = "given back"  # the last that a lock's file holds
_told: set[int] = set()  # file systems without locks, of which was told


class ArtifactLock:
    """The lock of one artifact; within one process it can be taken any number of times.

    Args:
        artifact: the file or folder; the lock is a hidden file beside it while it is held.
    """

    def __init__(self, artifact: Path) -> None:
        self._path = artifact.with_name(f".{artifact.name}.lock")
        self._file: IO[str] | None = None

    @property
    def is_there(self) -> bool:
        """Whether there is a lock's file, held or left by a process that was killed."""
        return self._path.exists()

    def take(self, purpose: str) -> bool:
        """Take the lock; False where another process holds it.

        A file system that keeps no locks is told of once, and work goes on without.

        Args:
            purpose: what for; others that wait are told.

        Raises:
            UserError: if nothing can be written where the artifact is to be, or its file server does not answer.
        """
        while True:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                file = self._path.open("a+")
            except OSError as error:
                raise UserError(
                    f"{self._path.parent}: cannot be written to ({error.strerror or error}); give this user the right "
                    "to write there, or set `data` in conf/<world>/globals.yml to another folder"
                ) from error
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.close()
                if error.errno in _HELD:
                    return False
                if error.errno == errno.ESTALE:  # another machine removed the file after we had opened it
                    continue
                if error.errno not in _WITHOUT:
                    raise UserError(f"{self._path}: cannot be locked ({error.strerror or error})") from error
                _tell_without(self._path.parent, error)
                return True
            # Its owner gave it back, and removed it, between our opening and our locking. A machine that shares the
            # folder may go on seeing the old file under its name for some seconds: its words tell that too.
            left = _read(file)
            if left != _GIVEN_BACK and _is_at(self._path, file):
                break
            file.close()
        self._tell_of_another_host(left)
        file.truncate(0)
        owner = {"host": socket.gethostname(), "process": os.getpid(), "since": time.time(), "purpose": purpose}
        file.write(json.dumps(owner))
        file.flush()
        self._file = file
        return True

    def holder(self) -> str:
        """Who holds the lock, in words; not to be asked by its holder, whose lock would end."""
        try:
            owner = json.loads(self._path.read_text())
            since = time.strftime("%H:%M:%S", time.localtime(owner["since"]))
            return f"process {owner['process']} on {owner['host']}, since {since}: {owner['purpose']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)  # while it is still ours
            self._file.truncate(0)
            self._file.write(_GIVEN_BACK)  # for who has opened it meanwhile
            self._file.close()
            self._file = None

    def _tell_of_another_host(self, left: str) -> None:
        """Say that another machine left a lock: its process died, or locks do not reach from here to there."""
        try:
            owner = json.loads(left)
            host, process = owner["host"], owner["process"]
        except (ValueError, KeyError, TypeError):
            return
        if host != socket.gethostname():
            logger.warning(
                "%s was left locked by process %s on %s; if that still runs, locks of this folder do not reach from "
                "one machine to the other: run one command at a time on it",
                *(self._path, process, host),
            )


@contextlib.contextmanager
def alone_with(artifact: Path, purpose: str, quiet: bool = False) -> Iterator[None]:
    """Hold the lock of an artifact; where another process has it, wait.

    Args:
        artifact: whose lock nobody holds in this process.
        purpose: what for.
        quiet: for what processes of one run do for each other all the time; else it is said for whom one waits.

    Raises:
        UserError: as ``ArtifactLock.take``.
    """
    lock, told = ArtifactLock(artifact), quiet
    while not lock.take(purpose):
        if not told:
            told = True
            logger.info("%s waits for another run: %s", purpose, lock.holder())
        time.sleep(_SECONDS_BETWEEN_TRIES)
    try:
        yield
    finally:
        lock.release()


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _is_at(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _tell_without(folder: Path, error: OSError) -> None:
    device = os.stat(folder).st_dev
    if device not in _told:
        _told.add(device)
        logger.warning(
            "%s: its file system keeps no locks (%s); run one command at a time on it", folder, error.strerror or error
        )
