"""The places that a list of files reads: what counts as its input, though it may be strewn over the disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

_SINGLE_FILES = 1_000  # beside the list; of more the whole folder counts


def places_read(listed: Path, keys: Iterable[str]) -> tuple[Path, ...]:
    """The list itself, and the folders or files beside it, or elsewhere, where what it names is; none within another.

    Args:
        listed: the CSV or TSV.
        keys: paths as ``ListedFiles.file_of`` gives them.
    """
    folder = listed.parent
    beside, elsewhere, single = set[Path](), set[Path](), set[Path]()
    for key in keys:
        path = PurePosixPath(key)
        if path.is_absolute():
            elsewhere.add(Path(path).parent)
        elif len(path.parts) == 1:
            single.add(folder / path.parts[0])
        else:
            beside.add(folder / path.parts[0])
    if len(single) > _SINGLE_FILES:
        beside, single = {folder}, set()
    return (listed, *_outermost(beside | elsewhere | single))


def _outermost(places: set[Path]) -> list[Path]:
    kept: list[Path] = []
    for place in sorted(places):  # what lies in a folder comes right after it
        if not (kept and place.is_relative_to(kept[-1])):
            kept.append(place)
    return kept
