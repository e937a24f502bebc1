"""A remote folder on the disk, for libraries that open the files of a folder by themselves."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.remote.cache import current_cache
from retrieval_vs_diffusion.remote.remote_path import RemotePath


def on_disk(folder: Path, wanted: Sequence[str] | None = None) -> Path:
    """The folder itself, or of a remote one a folder of the cache with links to copies of its files.

    The copies stay as long as this process lives.

    Args:
        folder: on the disk or remote.
        wanted: patterns of the files that are fetched, from the folder: ``*/*.json`` are those one level deeper. Others
            are not there. None for all.

    Raises:
        UserError: if a file cannot be fetched.
    """
    if not isinstance(folder, RemotePath):
        return folder
    files = {
        name: stored
        for name, stored in folder.files_under().items()
        if wanted is None or any(_matches(name, pattern) for pattern in wanted)
    }
    # By its content: another version of it is another folder, and links of this one never change.
    key = hashlib.sha256(repr((str(folder), sorted(files.items()))).encode()).hexdigest()[:32]
    made = current_cache().folder / "folders" / key / folder.name
    for name in files:
        _link(made / name, (folder / name).local(kept=True))
    return made


def _matches(name: str, pattern: str) -> bool:
    return name.count("/") == pattern.count("/") and fnmatchcase(name, pattern)


def _link(link: Path, file: Path) -> None:
    """Several processes may do so at once, and all link the same."""
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.symlink(os.path.relpath(file, link.parent), link)
    except OSError as error:
        raise UserError(
            f"{link}: cannot be written ({error.strerror or error}); set remote.folder elsewhere"
        ) from error
