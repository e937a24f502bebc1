"""Which files of a cache living processes use, so that no other process removes them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import socket
import threading
from pathlib import Path

LATEST = 256  # files of a process that count as in use: whoever asked for one opens it before so many others
_TRIES = 10  # to have a file that nobody removes
NAME = 32  # characters of a file's name that tell it apart


class Leases:
    """The names that each process says it uses, in a file of its own that is locked while it lives.

    The system ends the lock with its process, as ``execution.artifact_lock`` has it: what a dead process used is free.

    Args:
        folder: of the files, one for each process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread_lock = threading.Lock()
        self._owner = 0
        self._name = ""
        self._descriptor = -1
        self._next = 0
        self._kept: set[str] = set()
        self._latest: list[str] = []

    def add(self, name: str, kept: bool = False) -> None:
        """Say that this process uses a file: for now, or as long as it lives.

        Args:
            name: ``NAME`` ASCII characters.
            kept: for what is read bit by bit, such as a model's folder.
        """
        with self._thread_lock:
            if self._owner != os.getpid():
                self._begin()
            if name in self._kept:
                return
            if kept:
                self._kept.add(name)
                place = LATEST + len(self._kept) - 1
            else:
                place = self._next % LATEST
                self._latest[place : place + 1] = [name]
                self._next += 1
            os.pwrite(self._descriptor, f"{name}\n".encode("ascii"), place * (NAME + 1))

    def in_use(self) -> set[str]:
        """The names that this process or another one uses."""
        with self._thread_lock:
            mine = self._kept | set(self._latest) if self._owner == os.getpid() else set()
        for file in self._folder.glob("*.using"):
            if file.name != self._name:
                mine |= _names_of_the_living(file)
        return mine

    def _begin(self) -> None:
        """A file of this process's own; a forked one leaves that of its parent alone."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for _ in range(_TRIES):
            # With a random word: in containers of one host two processes may have the same number.
            self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.using"
            self._descriptor = os.open(self._folder / self._name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            with contextlib.suppress(OSError):  # a file system without locks: see ``_names_of_the_living``
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self._descriptor), os.stat(self._folder / self._name)):
                    break
            os.close(self._descriptor)  # before it was locked another process took it for a dead one's, and removed it
        self._owner, self._next, self._kept, self._latest = os.getpid(), 0, set(), []


def _names_of_the_living(file: Path) -> set[str]:
    """What a process uses; the file of one that has ended is removed."""
    try:
        with file.open("r+b") as opened:
            try:
                fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return set(opened.read().replace(b"\0", b"").decode("ascii", errors="replace").split())
            file.unlink(missing_ok=True)
    except OSError:
        pass
    return set()
