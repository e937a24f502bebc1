"""Whether a process that left a name somewhere still lives.

A process id alone does not tell: another process may have it by now, and on another machine it says nothing. A lock
does, for the system takes it back however the process ends; on a folder that machines share, their file server does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import socket
from pathlib import Path
from typing import IO

_own: dict[Path, IO[str]] = {}  # the locked files of this process; closing one would end its lock


class RunningProcess:
    """The process that made it, as others can ask for it.

    Args:
        folder: where the processes that may ask each other keep their locks.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        file = (folder / self.name).open("w")
        with contextlib.suppress(OSError):  # a file system without locks: nobody there is taken for dead
            # Not flock: that lock would pass to forked workers, and live on in them when this process is killed.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _own[folder / self.name] = file

    def lives(self, name: str) -> bool:
        """Whether the process of that name still runs; what it left behind is cleared away if not."""
        place = self._folder / name
        if place in _own:
            return True
        try:
            file = place.open("r+")
        except FileNotFoundError:
            return False
        except OSError:  # another user's, who may not be asked
            return True
        with file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
            place.unlink(missing_ok=True)
            return False

    def end(self) -> None:
        """Give the name up."""
        file = _own.pop(self._folder / self.name, None)
        if file is not None:
            (self._folder / self.name).unlink(missing_ok=True)
            file.close()
