"""Which format a collection is in, by the names of its files and columns."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Literal

from retrieval_vs_diffusion.errors import UserError, one_line
from retrieval_vs_diffusion.images.collections.listed_files import ENDINGS as LISTS
from retrieval_vs_diffusion.images.collections.listed_files import holds_predictions, lists_labels
from retrieval_vs_diffusion.images.collections.record_batches import ENDINGS as TABLES
from retrieval_vs_diffusion.images.collections.record_batches import schema_of
from retrieval_vs_diffusion.images.collections.table_columns import holds_images
from retrieval_vs_diffusion.images.formats.class_folders import folders_of_classes
from retrieval_vs_diffusion.images.formats.looked import Looked, images_under, look
from retrieval_vs_diffusion.images.image_files import ENDINGS as IMAGES

logger = logging.getLogger(__name__)
_LISTS_TRIED = 20
_FOLDERS_TRIED = 50
_URLS = {"url", "image_url"}
_TOLD_BY = {
    "web_dataset": "its tars",
    "hugging_face": "what `datasets` writes beside the data",
    "links": "its URLs without images",
    "img2dataset_files": "its numbered folders",
    "img2dataset_parquet": "the columns of its tables",
    "parquet": "the columns of its tables",
    "labels_csv": "its list",
    "captions_csv": "its list",
    "class_folders": "the images in its folders",
    "image_folder": "its images",
}


def detect(path: Path, kind: Literal["target", "pool"]) -> str:
    """Name of the format, or ``links`` for a collection of links without images; said once in the log.

    Args:
        path: a file or folder.
        kind: a target has labels, a pool may have captions.

    Raises:
        UserError: if it is in none of the formats, or may be in two of which each would leave out what the other reads;
            says what was found and what would do.
    """
    if not path.exists():
        raise UserError(
            f"{kind}.reader.path: there is nothing at {path}; a folder will do, or with format: hugging_face a name on "
            "the hub"
        )
    looked = None if path.is_file() else look(path, levels_of_links=2 if kind == "target" else 0)
    found = _of_file(path, kind) if looked is None else _of_folder(path, looked, kind)
    if found is None:
        raise UserError(
            f"{kind}.reader.path: {path} is in no known format: {_contents(path, looked)}; {_would_do(kind)}"
        )
    _tell(f"{kind}.reader: auto reads {path} as {found}, by {_TOLD_BY[found]}: {_numbers(path, looked)}")
    return found


@cache
def _tell(line: str) -> None:
    """Once for each collection, which is asked about by every step."""
    logger.info("%s", one_line(line))


def _of_file(path: Path, kind: str) -> str | None:
    ending = path.suffix.lower()
    if ending == ".tar":
        return "web_dataset"
    if ending in TABLES:
        return _of_table(path)
    if ending in LISTS and kind == "target" and holds_predictions(path):
        raise UserError(
            f"{kind}.reader.path: {path} holds what a classifier predicted, and no labels; "
            f"{kind}.reader.format: labels_csv takes it for labels all the same"
        )
    return {"target": "labels_csv", "pool": "captions_csv"}[kind] if ending in LISTS else None


def _of_folder(path: Path, looked: Looked, kind: str) -> str | None:
    if "dataset_dict.json" in looked.files or {"state.json", "dataset_info.json"} <= set(looked.files):
        return "hugging_face"
    if _has(path / "metadata", ".parquet") and _has(path / "img_emb", ".npy"):
        return "links"
    images = sum(looked.endings[ending] for ending in IMAGES)
    listed = {"target": "labels_csv", "pool": "captions_csv"}[kind]
    files = {"target": "class_folders", "pool": "image_folder"}[kind]
    if tars := looked.endings[".tar"]:
        if images:
            raise _unclear(path, kind, f"{tars} .tar and {images} images that are files", "web_dataset", files, listed)
        return "web_dataset"
    if images and kind == "pool" and (shards := _shards_of_img2dataset(looked)):
        if elsewhere := _images_elsewhere(path, looked):
            found = f"{', '.join(shards[:2])} as img2dataset writes them, and images in {', '.join(elsewhere[:3])}"
            raise _unclear(path, kind, found, "img2dataset_files", files, listed)
        return "img2dataset_files"
    if not images and (table := looked.table) is not None:
        return _of_table(table)
    lists = [path / name for name in looked.files if name.lower().endswith(LISTS)][:_LISTS_TRIED]
    lists = [each for each in lists if not holds_predictions(each)]
    if kind == "pool":
        return listed if lists else files if images else None
    labels = next(filter(lists_labels, lists), None)
    classes = _classes_with_images(path) if images else []
    if labels is not None and len(classes) > 1:
        found = f"{labels.name}, which lists labels, and images in the folders {', '.join(classes)}"
        raise _unclear(path, kind, found, "labels_csv", "class_folders")
    if labels is None and (classes or (images and _images_in_folders(path, looked))):
        return "class_folders"
    return "labels_csv" if lists else None


def _unclear(path: Path, kind: str, found: str, *formats: str) -> UserError:
    return UserError(
        f"{kind}.reader.path: {path} holds {found}; only one of them is read: say which by {kind}.reader.format, "
        f"{' or '.join(formats)}"
    )


def _shards_of_img2dataset(looked: Looked) -> list[str]:
    """Numbered folders of images with what img2dataset writes beside: a day's folder 20230101 is none."""
    return [
        name
        for name, endings in looked.below.items()
        if name.isdecimal()
        and len(name) >= 5
        and endings.keys() & set(IMAGES)
        and (endings[".json"] or {f"{name}.parquet", f"{name}_stats.json"} & set(looked.files))
    ]


def _images_elsewhere(path: Path, looked: Looked) -> list[str]:
    """Where images lie beside numbered folders: the first file, and folders."""
    files = [name for name in looked.files if Path(name).suffix.lower() in IMAGES]
    folders = [name for name in looked.folders if not name.isdecimal()][:_FOLDERS_TRIED]
    return files[:1] + [f"{name}/" for name in folders if images_under(path / name)]


def _images_in_folders(path: Path, looked: Looked) -> bool:
    return any(images_under(path / name) for name in looked.folders[:_FOLDERS_TRIED])


def _classes_with_images(path: Path) -> list[str]:
    """The first two classes that a collection has if it is one of class folders."""
    found: set[str] = set()
    for folder, _ in folders_of_classes(path):
        if len(found) < 2 and folder.name not in found and images_under(folder):
            found.add(folder.name)
    return sorted(found)


def _of_table(table: Path) -> str | None:
    schema = schema_of(table)
    if any(holds_images(field.type) for field in schema):
        return "img2dataset_parquet" if {"key", "status"} <= set(schema.names) else "parquet"
    return "links" if _URLS & {name.lower() for name in schema.names} else None


def _has(folder: Path, ending: str) -> bool:
    return folder.is_dir() and any(file.suffix.lower() == ending for file in folder.iterdir())


def _contents(path: Path, looked: Looked | None) -> str:
    columns = ""
    if looked is not None and (table := looked.table) is not None:
        columns = f" with the columns {', '.join(schema_of(table).names)}"
    return _numbers(path, looked, columns)


def _numbers(path: Path, looked: Looked | None, columns: str = "") -> str:
    if looked is None:
        return f"a file that ends in {path.suffix or 'nothing'}"
    if not looked.endings:
        return "it has no files"
    most = [f"{count} {ending or 'without ending'}" for ending, count in looked.endings.most_common(4)]
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
