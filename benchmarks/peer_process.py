"""A peer whose packages do not go with ours: a process of its own environment, asked over its standard streams.

The script that it runs says one JSON object a line: first anything, when it is ready; then, for each line that it is
sent, what came of it, with ``seconds`` as it took them itself.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / ".peers"
SCRIPTS = ROOT / "benchmarks" / "peers"


class PeerProcess:
    """A script of ``benchmarks/peers`` in the environment of the same name.

    Args:
        name: of script and environment, e.g. ``clip_retrieval``.
        arguments: of the script.

    Raises:
        RuntimeError: if the environment was not made, or the script ends before it answers.
    """

    def __init__(self, name: str, *arguments: str) -> None:
        python = ENVIRONMENTS / name / "bin" / "python"
        if not python.exists():
            raise RuntimeError(f"there is no environment .peers/{name}; make .peers/{name}/.installed makes it")
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._name = name
        self._process = subprocess.Popen(
            [str(python), str(SCRIPTS / f"{name}.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.ready = self._answer()

    def ask(self, **question: Any) -> dict[str, Any]:
        """Send a question; returns the answer."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("{"):  # what libraries print besides goes by
                return json.loads(line)
        raise RuntimeError(f"the peer {self._name} ended with {self._process.wait()} before it answered")

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
