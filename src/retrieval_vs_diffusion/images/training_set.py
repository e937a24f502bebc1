"""What one classifier was trained on, image by image, with where each came from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from retrieval_vs_diffusion.images.folder_names import folder_names
from retrieval_vs_diffusion.images.image_table import ImageTable

_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}  # what the codec decodes
# Columns of the image table that say where an image came from; ``label`` is the number of its class.
PROVENANCE = (
    "image_id",
    "content_hash",
    "source",
    "caption",
    "prompt",
    "seed",
    "checkpoint",
    "similarity",
    "parent",
    "recipe",
)


@dataclass(frozen=True)
class TrainingImage:
    """One image of a training set.

    Args:
        key: its name, unique in the set and of plain letters and digits: ids come from outside.
        extension: ``png`` or ``jpg``, by what the bytes are.
        data: the encoded bytes, as they are in the image table.
        class_name: what it is labelled with.
        folder: the class name as the name of a folder.
        label: position of the class among the classifier's outputs.
        origin: ``original`` or ``added``.
        provenance: values of the columns in ``PROVENANCE``; None for what is not known.
    """

    key: str
    extension: str
    data: bytes
    class_name: str
    folder: str
    label: int
    origin: str
    provenance: dict[str, Any]

    @property
    def text(self) -> str:
        """Its caption, else the prompt that made it, else nothing."""
        return self.provenance["caption"] or self.provenance["prompt"] or ""


@dataclass(frozen=True)
class TrainingSet:
    """The images that one classifier was trained on.

    Args:
        class_names: by label.
        originals: the labelled images.
        added: what a strategy added to them; None where it adds nothing.
        shuffle_seed: decides the order of shards, which are read one after the other.
    """

    class_names: tuple[str, ...]
    originals: ImageTable
    added: ImageTable | None
    shuffle_seed: int

    def __len__(self) -> int:
        return len(self.originals) + len(self.added or ())

    def images(self) -> Iterator[TrainingImage]:
        """Each image, the originals first.

        Raises:
            ValueError: if an image is neither PNG nor JPEG.
        """
        folders = folder_names(self.class_names)
        for origin, table in (("original", self.originals), ("added", self.added)):
            if table is None:
                continue
            rows = zip(table.labels().tolist(), table.encoded(), _provenance(table), strict=True)
            for number, (label, data, provenance) in enumerate(rows):
                yield TrainingImage(
                    key=f"{origin}-{number:06d}",
                    extension=_extension(data),
                    data=data,
                    class_name=self.class_names[label],
                    folder=folders[label],
                    label=label,
                    origin=origin,
                    provenance=provenance,
                )


def _provenance(table: ImageTable) -> Iterator[dict[str, Any]]:
    columns = [table.column(name) for name in PROVENANCE]
    for values in zip(*columns, strict=True):
        known = (None if isinstance(value, float) and math.isnan(value) else value for value in values)
        yield dict(zip(PROVENANCE, known, strict=True))


def _extension(data: bytes) -> str:
    for signature, extension in _SIGNATURES.items():
        if data.startswith(signature):
            return extension
    raise ValueError(f"an image that begins with {data[:8]!r} is neither PNG nor JPEG")
