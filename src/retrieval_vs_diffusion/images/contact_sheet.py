"""Many images on one sheet, for people."""

from __future__ import annotations

import numpy as np
from PIL import Image

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import ImageTable

CELL = 48  # pixels a side of an image on the sheet
_GAP = 2
_PAPER = (255, 255, 255)


def contact_sheet(images: ImageTable, columns: int) -> Image.Image:
    """The table's images in reading order; small ones are enlarged without blurring, large ones reduced."""
    rows = max(1, -(-len(images) // columns))
    step = CELL + _GAP
    sheet = Image.new("RGB", (columns * step + _GAP, rows * step + _GAP), _PAPER)
    for position, data in enumerate(images.encoded()):
        image = Image.fromarray(codec.decode(data))
        small = max(image.size) < CELL
        image = image.resize((CELL, CELL), Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS)
        row, column = divmod(position, columns)
        sheet.paste(image, (_GAP + column * step, _GAP + row * step))
    return sheet


def spread_over_classes(images: ImageTable, columns: int, rows: int) -> ImageTable:
    """At most ``columns * rows`` images: a column a class where all have labels, else the first ones.

    With more classes than columns, the first ``columns`` classes are shown.
    """
    labels = images.column("label")
    if not labels or None in labels:
        return images.take(np.arange(min(len(images), columns * rows)))
    of_class = [np.flatnonzero(np.array(labels) == label) for label in sorted(set(labels))[:columns]]
    if len(of_class) < columns:
        return images.take(np.concatenate([members[: rows * columns // len(of_class)] for members in of_class]))
    shortest = min(rows, *(len(members) for members in of_class))
    return images.take([int(members[row]) for row in range(shortest) for members in of_class])
