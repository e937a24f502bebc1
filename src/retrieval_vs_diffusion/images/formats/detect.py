"""Which format a collection is in, by the names of its files and columns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.columns import LABEL_NAMES, PATH_NAMES
from retrieval_vs_diffusion.images.collections.listed_files import ListedFiles
from retrieval_vs_diffusion.images.collections.record_batches import ENDINGS as TABLES
from retrieval_vs_diffusion.images.collections.record_batches import BrokenShardError, schema_of
from retrieval_vs_diffusion.images.collections.table_columns import holds_images
from retrieval_vs_diffusion.images.image_files import ENDINGS as IMAGES
from retrieval_vs_diffusion.remote.walking import walk

_LISTS = (".csv", ".tsv")
_LOOKED_AT = 20_000  # files; the first ones tell what a collection of millions is
_TABLES_TRIED = 10
_URLS = {"url", "image_url"}


@dataclass(frozen=True)
class _Looked:
    """What lies in a folder: names of its own files and folders, numbers of all endings, and its first tables."""

    files: tuple[str, ...]
    folders: tuple[str, ...]
    endings: Counter[str]
    tables: tuple[Path, ...]

    @property
    def table(self) -> Path | None:
        """The first whole table; the first of all where none is whole."""
        return next(filter(_is_whole, self.tables), self.tables[0] if self.tables else None)


def detect(path: Path, kind: Literal["target", "pool"]) -> str:
    """Name of the format, or ``links`` for a collection of links without images.

    Args:
        path: a file or folder.
        kind: a target has labels, a pool may have captions.

    Raises:
        UserError: if it is in none of the formats; says what was found and what would do.
    """
    if not path.exists():
        raise UserError(
            f"{kind}.reader.path: there is nothing at {path}; a folder will do, or with format: hugging_face a name on "
            "the hub"
        )
    found = _of_file(path, kind) if path.is_file() else _of_folder(path, _look(path), kind)
    if found is None:
        raise UserError(f"{kind}.reader.path: {path} is in no known format: {_contents(path)}; {_would_do(kind)}")
    return found


def _of_file(path: Path, kind: str) -> str | None:
    ending = path.suffix.lower()
    if ending == ".tar":
        return "web_dataset"
    if ending in TABLES:
        return _of_table(path)
    return {"target": "labels_csv", "pool": "captions_csv"}[kind] if ending in _LISTS else None


def _of_folder(path: Path, looked: _Looked, kind: str) -> str | None:
    if "dataset_dict.json" in looked.files or {"state.json", "dataset_info.json"} <= set(looked.files):
        return "hugging_face"
    if _has(path / "metadata", ".parquet") and _has(path / "img_emb", ".npy"):
        return "links"
    if looked.endings[".tar"]:
        return "web_dataset"
    images = sum(looked.endings[ending] for ending in IMAGES)
    if images and any(name.isdecimal() and len(name) >= 5 for name in looked.folders) and kind == "pool":
        return "img2dataset_files"
    if not images and (table := looked.table) is not None:
        return _of_table(table)
    lists = [path / name for name in looked.files if name.lower().endswith(_LISTS)]
    if kind == "pool":
        return "captions_csv" if lists else "image_folder" if images else None
    if len(lists) == 1 and _lists_labels(lists[0]):
        return "labels_csv"
    if images and _has_images_below(path, looked.folders):
        return "class_folders"
    return "labels_csv" if lists else None


def _of_table(table: Path) -> str | None:
    schema = schema_of(table)
    if any(holds_images(field.type) for field in schema):
        return "img2dataset_parquet" if {"key", "status"} <= set(schema.names) else "parquet"
    return "links" if _URLS & {name.lower() for name in schema.names} else None


def _is_whole(table: Path) -> bool:
    try:
        schema_of(table)
    except BrokenShardError:
        return False
    return True


def _look(path: Path) -> _Looked:
    endings: Counter[str] = Counter()
    tables: list[Path] = []
    own_files: list[str] = []
    own_folders: list[str] = []
    for place, folders, files in walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        shown = sorted(name for name in files if not name.startswith("."))
        if place == path:
            own_folders, own_files = list(folders), shown
        for name in shown:
            ending = Path(name).suffix.lower()
            endings[ending] += 1
            if ending in TABLES and len(tables) < _TABLES_TRIED:
                tables.append(place / name)
        if endings.total() > _LOOKED_AT:
            break
    return _Looked(tuple(own_files), tuple(own_folders), endings, tuple(tables))


def _has(folder: Path, ending: str) -> bool:
    return folder.is_dir() and any(file.suffix.lower() == ending for file in folder.iterdir())


def _lists_labels(path: Path) -> bool:
    columns = {column.lower() for column in ListedFiles(path).columns}
    return bool(columns & set(PATH_NAMES)) and bool(columns & set(LABEL_NAMES))


def _has_images_below(path: Path, folders: tuple[str, ...]) -> bool:
    """Whether the first folders hold images, in whatever depth: these may be classes."""
    return any(_look(path / name).endings.keys() & set(IMAGES) for name in folders[:50])


def _contents(path: Path) -> str:
    if path.is_file():
        return f"a file that ends in {path.suffix or 'nothing'}"
    looked = _look(path)
    if not looked.endings:
        return "it has no files"
    most = [f"{count} {ending or 'without ending'}" for ending, count in looked.endings.most_common(4)]
    columns = f" with the columns {', '.join(schema_of(table).names)}" if (table := looked.table) is not None else ""
    return f"it has files {', '.join(most)}{columns}, and {len(looked.folders)} folders"


def _would_do(kind: str) -> str:
    if kind == "target":
        return (
            "a folder for each class, a CSV of paths and labels, Parquet files with images, a data set saved by "
            "`datasets`, or tars as WebDataset has them will do"
        )
    return (
        "tars, files or Parquet as img2dataset writes them, a folder of images with or without a CSV of captions, or a "
        "data set saved by `datasets` will do"
    )
