"""What lies under an address: asked for once a command, in a request for each thousand files."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from retrieval_vs_diffusion.errors import one_line
from retrieval_vs_diffusion.remote.store import Stored, files_under

logger = logging.getLogger(__name__)
_LONGEST_STEP, _LONGEST_NAME = 255, 3_000  # bytes, as file systems have it


class Listing:
    """The files under an address that a folder could hold.

    Names that no folder could hold, for they climb out of it, are empty between slashes, too long, or lie under what
    is itself a file, are left out and told: nobody who reads a folder expects them.

    Args:
        address: of the folder or file.
        found: files by their names from it, as ``files_under`` gives them.
    """

    def __init__(self, address: str, found: dict[str, Stored]) -> None:
        self.files: dict[str, Stored] = {}
        self.children: dict[str, dict[str, None]] = {}  # of each folder the names in it, in order
        strange = 0
        for name in sorted(found, key=lambda each: each.split("/")):
            folder, _, last = name.rpartition("/")
            steps = name.removesuffix("/").split("/") if name else []
            if not _could_be_held(steps) or any(above in self.files for above in _folders_above(name)):
                strange += 1
                continue
            if last or not name:
                self.files[name] = found[name]
            self._add(folder, last)
        if strange:
            logger.warning("%s: left out: %d files whose names no folder could hold", one_line(address), strange)

    def _add(self, folder: str, last: str) -> None:
        names = self.children.setdefault(folder, {})
        if last:
            names[last] = None
        while folder:
            above, _, inner = folder.rpartition("/")
            known = above in self.children and inner in self.children[above]
            self.children.setdefault(above, {})[inner] = None
            if known:
                break
            folder = above

    def is_folder(self, name: str) -> bool:
        """Whether something lies under a name."""
        return name in self.children and name not in self.files

    def under(self, name: str) -> Iterator[tuple[str, Stored]]:
        """All files under a folder with their names from it, in no order, or the file itself under ``""``."""
        if name in self.files:
            yield "", self.files[name]
            return
        start, waiting = f"{name}/" if name else "", [name]
        while waiting:
            folder = waiting.pop()
            for inner in self.children.get(folder, ()):
                inside = f"{folder}/{inner}" if folder else inner
                if inside in self.files:
                    yield inside[len(start) :], self.files[inside]
                else:
                    waiting.append(inside)


def _could_be_held(steps: list[str]) -> bool:
    whole = sum(len(step.encode("utf-8", errors="replace")) + 1 for step in steps) <= _LONGEST_NAME
    return whole and all(
        step not in ("", ".", "..")
        and "\0" not in step
        and len(step.encode("utf-8", errors="replace")) <= _LONGEST_STEP
        for step in steps
    )


def _folders_above(name: str) -> Iterator[str]:
    above = name.rpartition("/")[0]
    while above:
        yield above
        above = above.rpartition("/")[0]


_known: dict[str, Listing] = {}


def listing_of(address: str) -> tuple[Listing, str]:
    """A listing that covers an address, and the address's name in it; asked for where none is known.

    Raises:
        UserError: if the store cannot be asked.
    """
    place, name = address, ""
    while place.count("/") > 2:
        if place in _known:
            return _known[place], name
        place, _, last = place.rpartition("/")
        name = f"{last}/{name}" if name else last
    if place in _known:
        return _known[place], name
    _known[address] = Listing(address, files_under(address))
    return _known[address], ""


def forget_listings() -> None:
    """Ask anew from now on: what a command found may have changed by the next one."""
    _known.clear()
