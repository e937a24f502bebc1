"""A training set as a folder of image files, with a table of what each of them is."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval_vs_diffusion.images.training_set import PROVENANCE, TrainingImage, TrainingSet
from retrieval_vs_diffusion.spreadsheet_cells import cell_of, text_of

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "manifest.csv"
COLUMNS = ("file", "class", "label", "origin", *(name for name in PROVENANCE if name != "recipe"))
_NUMBERS = {"label": "int64", "seed": "Int64", "similarity": "float64"}


def write_image_folder(training_set: TrainingSet, folder: Path) -> None:
    """Write ``images/<class>/<key>.png`` and ``manifest.csv`` into a folder.

    The files hold the bytes that the classifier was trained on. The manifest has a row for each, in
    the columns ``COLUMNS``; a text that a spreadsheet would run begins with an apostrophe there, which
    ``read_manifest`` takes away again.

    Args:
        training_set: the images.
        folder: exists and is empty.
    """
    # A lone surrogate, which JSON can hold and UTF-8 cannot, is written as an escape.
    with (folder / MANIFEST).open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for image in training_set.images():
            place = Path("images", image.folder, f"{image.key}.{image.extension}")
            (folder / place.parent).mkdir(parents=True, exist_ok=True)
            (folder / place).write_bytes(image.data)
            row = about(image, place.as_posix())
            writer.writerow([_cell(row[name]) for name in COLUMNS])


def about(image: TrainingImage, file: str) -> dict[str, Any]:
    """All that is known of an image, by column."""
    return {
        "file": file,
        "class": image.class_name,
        "label": image.label,
        "origin": image.origin,
        **image.provenance,
    }


def read_manifest(path: Path) -> pd.DataFrame:
    """The manifest as it was before its cells were made harmless; empty cells of text are empty strings."""
    import pandas as pd

    empty = {name: [""] for name in _NUMBERS}  # `NA` may be a caption
    types = {name: _NUMBERS.get(name, "str") for name in COLUMNS}
    table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=empty)
    texts = [name for name in COLUMNS if name not in _NUMBERS]
    return table.assign(**{name: table[name].map(text_of) for name in texts})


def _cell(value: Any) -> Any:
    return cell_of(value) if isinstance(value, str) else value
