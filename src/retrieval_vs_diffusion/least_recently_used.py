"""What goes from a folder of bounded size, so that something new has room: what was not used for longest."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Room:
    """What has to go, and what there is once it went. Nothing was removed yet.

    Args:
        to_remove: what has to go.
        held: bytes of what stays.
        lacking: bytes that the disk has too few; none where it is not above 0.
    """

    to_remove: list[Path]
    held: int
    lacking: int


def lacking_on_disk(folder: Path, needed: int, left_free: float) -> int:
    """Bytes that a disk has too few for so many more; not above 0 where it has enough.

    Args:
        folder: on the disk.
        needed: bytes.
        left_free: share of the disk that stays free, so that what else is written does not fail for want of room.
    """
    disk = shutil.disk_usage(folder)
    return needed + int(left_free * disk.total) - disk.free


def room_for(
    needed: int, kept: Iterable[tuple[Path, int]], full_to: float, lacking: int, may_go: Callable[[Path], bool]
) -> Room:
    """Choose as few as will do, from the first on.

    Args:
        needed: bytes.
        kept: places with their bytes, the one that was not used for longest first.
        full_to: bytes of all together, with those that are needed.
        lacking: bytes that the disk has too few now.
        may_go: whether a place may be removed; asked only of what would have to.
    """
    kept = list(kept)
    to_remove, held = [], sum(size for _, size in kept)
    for place, size in kept:
        if held + needed <= full_to and lacking <= 0:
            break
        if may_go(place):
            to_remove.append(place)
            held, lacking = held - size, lacking - size
    return Room(to_remove, held, lacking)
