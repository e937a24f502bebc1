"""A folder with a folder of images for each class, as torchvision's ``ImageFolder`` and ImageNet have it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path

from retrieval_vs_diffusion.errors import UserError, one_line
from retrieval_vs_diffusion.images.collections.part_names import part_named
from retrieval_vs_diffusion.images.image_files import image_files
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.parts import part

logger = logging.getLogger(__name__)


@part
class ClassFolders:
    """Folders named by classes, with or without folders train, val and test above them.

    Within a class's folder images may lie in any folders. Folders beside train, val and test are left out.

    Args:
        path: the folder above.
    """

    path: Path

    @property
    def reads(self) -> tuple[Path, ...]:
        """The folder."""
        return (self.path,)

    def entries(self) -> Iterator[Sample]:
        """Key (path from the folder), label (name of the folder) and part of each image.

        Raises:
            UserError: if there is no folder in it.
        """
        empty = []
        for folder, part_of_set in self._class_folders():
            inside = str(folder.relative_to(self.path).as_posix())
            found = False
            for file in image_files(folder):
                found = True
                yield Sample(key=f"{inside}/{file.as_posix()}", label=folder.name, part=part_of_set)
            if not found:
                empty.append(inside)
        if empty:
            logger.warning("%s: left out, for they hold no image: %s", self.path, _listed(empty))

    def samples(self, only: Container[str] | None = None, faults: Counter[str] | None = None) -> Iterator[Sample]:
        """The entries with the paths of their files."""
        for entry in self.entries():
            if only is None or entry.key in only:
                yield replace(entry, image=self.path / entry.key, source=str(self.path / entry.key))

    def _class_folders(self) -> Iterator[tuple[Path, str | None]]:
        folders = _folders_in(self.path) if self.path.is_dir() else []
        if not folders:
            raise UserError(f"{self.path}: found no folder in it; a folder for each class will do")
        parts = [folder for folder in folders if part_named(folder.name)]
        split = len(parts) == len(folders) or any(part_named(folder.name) == "train" for folder in parts)
        loose = [file.name for file in self.path.iterdir() if _is_loose(file)]
        if split:
            loose += [file.name for folder in parts for file in folder.iterdir() if _is_loose(file)]
            loose += [f"{folder.name}/" for folder in folders if folder not in parts]
        if loose:
            what = "train, val and test" if split else "the classes' folders"
            logger.warning("%s: left out beside %s: %s", self.path, what, _listed(sorted(loose)))
        if not split:
            yield from ((folder, None) for folder in folders)
            return
        for above in parts:
            yield from ((folder, part_named(above.name)) for folder in _folders_in(above))


def _folders_in(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))


def _is_loose(file: Path) -> bool:
    return not file.name.startswith(".") and not file.is_dir()


def _listed(names: list[str]) -> str:
    told = f"{', '.join(names[:3])} and {len(names) - 3} more" if len(names) > 4 else ", ".join(names)
    return one_line(told)
