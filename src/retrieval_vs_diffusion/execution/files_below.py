"""The files of a folder that a user brings, in as much as readers look for them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

_LISTS = {".csv", ".tsv"}
_LINKS_FOLLOWED = 2  # folders deep: classes, or parts and classes; no reader follows other links to folders


def files_below(folder: Path, links_followed: int = _LINKS_FOLLOWED) -> Iterator[Path]:
    """What lies in a folder and in its folders, in any order, by the names that links have; none where no folder is.

    Links to folders that hold them are not followed, and no link deeper than classes are, so that there is an end.

    Args:
        folder: may be a link itself.
        links_followed: how deep links to folders lie that are followed; 1 for those in the folder itself.
    """
    for place, folders, names in os.walk(folder):
        yield from (Path(place, name) for name in names)
        depth = len(Path(place).relative_to(folder).parts)
        if depth < links_followed:
            here = os.path.realpath(place)
            for linked in (Path(place, name) for name in folders):
                if linked.is_symlink() and not Path(here).is_relative_to(os.path.realpath(linked)):
                    yield from files_below(linked, links_followed - depth - 1)


def lists_among(files: Sequence[tuple[str, Path, int]], named: Collection[Path], largest: int) -> list[Path]:
    """Those of which all content counts in a large collection: tables as text, and files that are named themselves.

    Args:
        files: name, place and bytes of each.
        named: what the collection's reader names; a list may name a million images, one by one.
        largest: bytes that a list has at most, and that those that are named have together.
    """
    found, bytes_named = [], 0
    for _, file, size in files:
        if file in named and bytes_named + size <= largest:
            bytes_named += size
        elif file.suffix.lower() not in _LISTS or size > largest:
            continue
        found.append(file)
    return found
