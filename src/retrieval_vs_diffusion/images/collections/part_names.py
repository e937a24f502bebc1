"""The parts of a labelled collection, however folders, files and columns call them."""

from __future__ import annotations

import re
from pathlib import PurePath

PARTS = ("train", "val", "test")
_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def part_named(name: str) -> str | None:
    """``train``, ``val`` or ``test`` for a name of it; None for any other.

    >>> part_named("Validation"), part_named("trainer")
    ('val', None)
    """
    return _NAMES.get(name.strip().lower())


def part_of_file(path: PurePath) -> str | None:
    """The part that a shard belongs to by what its name begins with, else by the folder it is in.

    >>> part_of_file(PurePath("data/train-00000-of-00002.parquet")), part_of_file(PurePath("test/0000.parquet"))
    ('train', 'test')
    """
    first_word = re.split(r"[^a-zA-Z]", path.name, maxsplit=1)[0]
    of_folders = (part_named(folder) for folder in reversed(path.parts[:-1]))
    return part_named(first_word) or next((part for part in of_folders if part), None)
