"""A resolver for tests by which every name is this machine; it goes to other processes, and says where it was asked."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

DEADLY = "deadly.example"


@dataclass(frozen=True)
class Names:
    """Resolves all names.

    Args:
        log: a file to which each question adds a line: the name, the process and the machine.
        before_death: the process that first asks for ``DEADLY`` is killed as soon as this file is there.
    """

    log: Path
    before_death: Path | None = None

    async def __call__(self, host: str, port: int) -> list[str]:
        if host == DEADLY and DEADLY not in self.asked():
            self._write(host)
            while not self.before_death.exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        self._write(host)
        return ["127.0.0.1"]

    def asked(self) -> list[str]:
        return self._column(0)

    def processes(self) -> set[str]:
        return set(self._column(1))

    def machines(self) -> set[str]:
        return set(self._column(2))

    def _write(self, host: str) -> None:
        with self.log.open("a") as file:
            file.write(f"{host} {os.getpid()} {_machine()}\n")

    def _column(self, number: int) -> list[str]:
        return [line.split()[number] for line in self.log.read_text().splitlines()] if self.log.exists() else []


def _machine() -> str:
    import sys

    ray = sys.modules.get("ray")
    return ray.get_runtime_context().get_node_id() if ray is not None and ray.is_initialized() else "here"
