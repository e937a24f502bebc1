"""Another machine that shares a folder with this one, as far as one machine can play two."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HOST = "another-host"
_NAMESPACES = ("unshare", "--user", "--map-root-user", "--uts", "--pid", "--fork", "--kill-child")
_RENAMED = f"import socket; socket.gethostname = lambda: '{HOST}'; import os; os.getpid = lambda: 1\n"


def _may_unshare() -> bool:
    try:
        return subprocess.run([*_NAMESPACES, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def start_elsewhere(script: str, *arguments: Path | str) -> tuple[subprocess.Popen[str], str]:
    """Run a script on another host, where it is process 1, and wait for its first line.

    In namespaces of its own where the kernel lets us, where its host's name is another and its processes cannot be
    seen from here; else with both names said otherwise. What is not another is the kernel that holds the locks.

    Returns:
        The process, of this machine, whose end is the script's; and the line.
    """
    command = [sys.executable, "-c", _RENAMED + script, *map(str, arguments)]
    if _may_unshare():
        named = ["sh", "-c", f'hostname {HOST} && exec "$@"', "sh", sys.executable, "-c", script, *map(str, arguments)]
        command = [*_NAMESPACES, *named]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    return other, other.stdout.readline().strip()
