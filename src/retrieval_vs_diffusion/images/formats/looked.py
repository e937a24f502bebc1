"""What lies in a folder, by names alone: what tells a collection's format."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from retrieval_vs_diffusion.images.collections.part_names import part_named
from retrieval_vs_diffusion.images.collections.record_batches import ENDINGS as TABLES
from retrieval_vs_diffusion.images.collections.record_batches import BrokenShardError, schema_of
from retrieval_vs_diffusion.images.image_files import ENDINGS as IMAGES
from retrieval_vs_diffusion.remote.walking import walk

_LOOKED_AT = 20_000  # files; the first ones tell what a collection of millions is
_TABLES_TRIED = 10


@dataclass(frozen=True)
class Looked:
    """What lies in a folder: names of its own files and folders, numbers of all endings, and its first tables.

    ``below`` has the numbers of endings by own folder.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...]
    endings: Counter[str]
    below: Mapping[str, Counter[str]]
    tables: tuple[Path, ...]

    @property
    def table(self) -> Path | None:
        """The first whole table; the first of all where none is whole."""
        return next(filter(_is_whole, self.tables), self.tables[0] if self.tables else None)


def look(path: Path, levels_of_links: int = 0) -> Looked:
    """What lies in a folder, hidden files left out.

    Args:
        path: of the folder.
        levels_of_links: how deep links to folders are followed: class_folders follows them to classes, which lie in the
            first level, or in the second below parts.
    """
    endings: Counter[str] = Counter()
    below: defaultdict[str, Counter[str]] = defaultdict(Counter)
    tables: list[Path] = []
    own_files: list[str] = []
    own_folders: list[str] = []
    for place, folders, files in _visible(path, levels_of_links):
        if place == path:
            own_folders, own_files = list(folders), files
        inside = place.relative_to(path).parts
        for name in files:
            ending = Path(name).suffix.lower()
            endings[ending] += 1
            if inside:
                below[inside[0]][ending] += 1
            if ending in TABLES and len(tables) < _TABLES_TRIED:
                tables.append(place / name)
        if endings.total() > _LOOKED_AT:
            break
    return Looked(tuple(own_files), tuple(own_folders), endings, below, tuple(tables))


def _visible(path: Path, levels_of_links: int = 0) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Each folder with its folders and files, without hidden ones; links as ``look`` follows them."""
    for place, folders, files in walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield place, folders, sorted(name for name in files if not name.startswith("."))
        depth = len(place.relative_to(path).parts)
        if depth >= levels_of_links or (depth and part_named(place.name) is None):
            continue
        for name in folders:
            if (place / name).is_symlink():
                yield from _visible(place / name, int(levels_of_links > 1 and part_named(name) is not None))


def images_under(path: Path) -> bool:
    """Whether a folder holds images, in whatever depth."""
    return any(Path(name).suffix.lower() in IMAGES for _, _, files in _visible(path) for name in files)


def _is_whole(table: Path) -> bool:
    try:
        schema_of(table)
    except BrokenShardError:
        return False
    return True
