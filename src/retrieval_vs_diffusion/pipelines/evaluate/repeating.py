"""The node that says what a repeated run should give, and what it was made with."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval_vs_diffusion import __version__
from retrieval_vs_diffusion.execution.devices import device_found
from retrieval_vs_diffusion.execution.digest import library_versions

if TYPE_CHECKING:
    import pandas as pd


def digest_results(compute: dict[str, Any], size_curve: pd.DataFrame | None = None, **rows: Any) -> dict[str, Any]:
    """The digest of all rows that hold, by row and part, and on what machine and versions it was taken.

    Args:
        compute: device, threads and processes.
        size_curve: None where it does not hold.
        rows: ``results_of_<strategy>``; None where they do not hold.
    """
    from retrieval_vs_diffusion.comparison.results_digest import results_digest

    results = {name.removeprefix("results_of_"): each for name, each in rows.items() if each is not None}
    return {**results_digest(results, size_curve), "made_with": made_with(compute)}


def made_with(compute: dict[str, Any]) -> dict[str, Any]:
    """What else than parameters and data decides the last digits; no part of the digest."""
    device = compute.get("device", "auto")
    return {
        "version": __version__,
        **commit_of(Path(__file__)),
        "device": device_found() if device == "auto" else device,
        "threads": compute.get("threads", 1),
        "processes": compute.get("processes", 1),
        "processor": _processor(),
        "python": platform.python_version(),
        "libraries": library_versions(),
    }


def commit_of(file: Path) -> dict[str, Any]:
    """The commit of a file's checkout, and whether something in it is not committed; None without git."""
    folder = file.parent
    # A checkout that only lies around the file (a home kept in git) knows nothing of it.
    if _git(folder, "ls-files", "--error-unmatch", file.name) is None:
        return {"commit": None, "uncommitted_changes": None}
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": _git(folder, "rev-parse", "HEAD"), "uncommitted_changes": bool(changed)}


def _git(folder: Path, *arguments: str) -> str | None:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(  # noqa: S603  (a fixed command)
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _processor() -> str:
    """The processor's name: another kind may add in another order."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        told = []
    named = (line.partition(":")[2].strip() for line in told if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
