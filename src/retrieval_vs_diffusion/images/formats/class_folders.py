"""A folder with a folder of images for each class, as torchvision's ``ImageFolder`` and ImageNet have it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path

from retrieval_vs_diffusion.errors import UserError, one_line
from retrieval_vs_diffusion.images.collections.part_names import part_named
from retrieval_vs_diffusion.images.image_files import ENDINGS, image_files, tell_left_out, told
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.parts import part

logger = logging.getLogger(__name__)


@part
class ClassFolders:
    """Folders named by classes, with or without folders train, val and test above them.

    Within a class's folder images may lie in any folders. Folders beside train, val and test are left out. A folder
    ``train`` without val and test that holds images is a class of that name.

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
            UserError: if there is no folder in it, it cannot be told whether train is a class, or all that it holds are
                links out of it.
        """
        empty: list[str] = []
        left_out = Counter[str]()
        any_found = False
        for folder, part_of_set in self._class_folders():
            inside = str(folder.relative_to(self.path).as_posix())
            found = False
            for file in image_files(folder, within=self.path, left_out=left_out):
                found = any_found = True
                yield Sample(key=f"{inside}/{file.as_posix()}", label=folder.name, part=part_of_set)
            if not found:
                empty.append(inside)
        if left_out.total() and not any_found:
            raise UserError(f"{self.path}: found no image in its folders; left out: {told(left_out)}")
        tell_left_out(self.path, left_out)
        if empty:
            logger.warning("%s: left out, for they hold no image: %s", self.path, _listed(empty))

    def samples(self, only: Container[str] | None = None, faults: Counter[str] | None = None) -> Iterator[Sample]:
        """The entries with the paths of their files."""
        for entry in self.entries():
            if only is None or entry.key in only:
                yield replace(entry, image=self.path / entry.key, source=str(self.path / entry.key))

    def _class_folders(self) -> list[tuple[Path, str | None]]:
        folders = _folders_in(self.path) if self.path.is_dir() else []
        if not folders:
            raise UserError(f"{self.path}: found no folder in it; a folder for each class will do")
        parts = _parts_among(self.path, folders)
        loose = [file.name for file in self.path.iterdir() if _is_loose(file)]
        if parts:
            loose += [file.name for folder in parts for file in folder.iterdir() if _is_loose(file)]
            loose += [f"{folder.name}/" for folder in folders if folder not in parts]
        if loose:
            what = "train, val and test" if parts else "the classes' folders"
            logger.warning("%s: left out beside %s: %s", self.path, what, _listed(sorted(loose)))
        return folders_of_classes(self.path)


def folders_of_classes(path: Path) -> list[tuple[Path, str | None]]:
    """Folders that are called as classes are, each with the part that it is of; links to folders are followed.

    Raises:
        UserError: if it cannot be told whether a folder called train is a class or a part.
    """
    folders = _folders_in(path)
    parts = _parts_among(path, folders)
    if not parts:
        return [(folder, None) for folder in folders]
    return [(folder, part_named(above.name)) for above in parts for folder in _folders_in(above)]


def _parts_among(path: Path, folders: list[Path]) -> list[Path]:
    """The folders that are parts; none where all are classes."""
    parts = [folder for folder in folders if part_named(folder.name)]
    others = [folder for folder in folders if folder not in parts]
    train = next((folder for folder in parts if part_named(folder.name) == "train"), None)
    if train is None:  # beside other classes one may be called test
        return [] if others else parts
    alone = len(parts) == 1
    if alone and (_holds_images(train) or not _folders_in(train)):  # the vehicle, as COCO and VOC have it
        return []
    if alone or not any(map(_folders_in, parts)):
        classes = [folder.name for folder in others if _holds_images(folder)]
        if classes:
            raise UserError(
                f"{path}: is {train.name} a class or a part? Beside it {_listed(classes)} hold images; call the folder "
                "otherwise if it is a class, and move what is beside it elsewhere if it is a part"
            )
    return parts


def _holds_images(folder: Path) -> bool:
    """Whether images lie in a folder itself."""
    return any(file.suffix.lower() in ENDINGS and _is_loose(file) for file in folder.iterdir())


def _folders_in(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))


def _is_loose(file: Path) -> bool:
    return not file.name.startswith(".") and not file.is_dir()


def _listed(names: list[str]) -> str:
    told = f"{', '.join(names[:3])} and {len(names) - 3} more" if len(names) > 4 else ", ".join(names)
    return one_line(told)
