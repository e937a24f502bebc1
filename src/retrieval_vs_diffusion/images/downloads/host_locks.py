"""What processes may do at a host, shared by all that download into one folder, on whatever machine they are.

A byte of a file is locked for each thing. The system takes the lock of a process back however it ends; on a folder
that machines share, their file server does.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
from pathlib import Path

logger = logging.getLogger(__name__)
_HELD = {errno.EACCES, errno.EAGAIN}
_HOSTS, _PLACES = 2**40, 2**10  # bytes that can be locked; two hosts on one byte would but wait for each other


class HostLocks:
    """Locks of places at hosts; one object of a process may use a file at a time, as a process has each lock once.

    Args:
        path: the file, which stays empty; None to share nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("a") if path is not None else None

    def take(self, host: str, place: int) -> bool:
        """Take a place at a host; False where another process has it. This process may take it again."""
        if self._file is None:
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(host, place))
        except OSError as error:
            if error.errno in _HELD:
                return False
            logger.warning(
                "%s: cannot be locked (%s); limits a host hold in each process alone", self._file.name, error.strerror
            )
            self.close()
        return True

    def give_back(self, host: str, place: int) -> None:
        """Let others have a place."""
        if self._file is not None:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _byte(host, place))

    def close(self) -> None:
        """Give everything back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _byte(host: str, place: int) -> int:
    number = int.from_bytes(hashlib.sha256(host.encode()).digest()[:8]) % _HOSTS
    return number * _PLACES + place % _PLACES
