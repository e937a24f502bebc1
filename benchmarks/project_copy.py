"""A copy of this project in which nothing has run."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
_WITHOUT = shutil.ignore_patterns("__pycache__", "*.egg-info", "local")


def copy_project(to: Path) -> Path:
    """Copy what a run needs, and nothing that was run; returns the folder."""
    for name in ("conf", "src", "data/06_models/pretrained"):
        shutil.copytree(ROOT / name, to / name, ignore=_WITHOUT)
    (to / "conf/local").mkdir()
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, to / name)
    return to
