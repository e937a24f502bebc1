"""Writing that is whole or absent, also after a power cut."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ONE_BY_ONE = 1_000  # files; of more, everything that the system holds is written in one call


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write a file or folder to, and move it to ``path`` when all went well and lies on the disk.

    What stood at ``path`` stays until then; after an error nothing half-written is left. A process that is killed
    leaves ``.<name>.<process>.part``, which ``clear_partial`` removes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    _remove(partial)
    try:
        yield partial
        to_disk(partial)
    except BaseException:
        _remove(partial)
        raise
    if path.is_dir() or partial.is_dir():  # rename replaces a file by a file alone
        _remove(path)
    os.replace(partial, path)
    sync(path.parent)


def to_disk(path: Path) -> None:
    """Wait until a file, or a folder with all that it holds, would outlive a power cut."""
    places = [path]
    if path.is_dir():
        places += [Path(folder, name) for folder, folders, files in os.walk(path) for name in (*folders, *files)]
    if len(places) > _ONE_BY_ONE:
        os.sync()
        return
    for place in reversed(places):  # a folder after what it lists
        if not place.is_symlink():
            sync(place)


def clear_partial(path: Path) -> None:
    """Remove what killed processes left of ``path``; only for who may be sure that no other process writes it."""
    for partial in path.parent.glob(f".{_escaped(path.name)}.*.part"):
        _remove(partial)


def sync(path: Path) -> None:
    """Wait until a file, or the list of what a folder holds, lies on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
