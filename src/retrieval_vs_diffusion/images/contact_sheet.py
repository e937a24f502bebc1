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
        if data is None:  # of a pool of links nothing is downloaded to be shown
            continue
        image = Image.fromarray(codec.decode(data))
        small = max(image.size) < CELL
        image = image.resize((CELL, CELL), Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS)
        row, column = divmod(position, columns)
        sheet.paste(image, (_GAP + column * step, _GAP + row * step))
    return sheet


def spread_over_classes(images: ImageTable, columns: int, rows: int) -> tuple[ImageTable, int]:
    """Examples in reading order: a column a class where all have labels, else simply the first ones.

    Returns:
        At most ``columns * rows`` images, and how many columns they fill; of more classes than
        ``columns`` the first ones are shown.
    """
    labels = images.column("label")
    if not labels or None in labels[:1]:  # a pool
        return images.take(np.arange(min(len(images), columns * rows))), columns
    of_class = [np.flatnonzero(np.array(labels) == label) for label in sorted(set(labels))[:columns]]
    shortest = min(rows, *(len(members) for members in of_class))
    return images.take([int(members[row]) for row in range(shortest) for members in of_class]), len(of_class)
