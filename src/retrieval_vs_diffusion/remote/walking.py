"""Walking through the folders under one, on the disk or remote."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from retrieval_vs_diffusion.remote.remote_path import RemotePath


def walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Each folder with the names of its folders and of its files, from above; as ``os.walk``.

    Who takes names of folders out of the list, or sorts it, decides which are gone into, and in which order.
    """
    if not isinstance(folder, RemotePath):
        for place, folders, files in os.walk(folder):
            yield Path(place), folders, files
        return
    if not folder.is_dir():
        return
    inside = list(folder.iterdir())
    folders = [each.name for each in inside if each.is_dir()]
    yield folder, folders, [each.name for each in inside if each.is_file()]
    for name in folders:
        yield from walk(folder / name)
