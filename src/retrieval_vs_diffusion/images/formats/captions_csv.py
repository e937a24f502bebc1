"""Image files with a CSV that says a caption of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.columns import CAPTION_NAMES, LABEL_NAMES, PATH_NAMES, Wanted
from retrieval_vs_diffusion.images.collections.listed_files import ListedFiles, only_list_in
from retrieval_vs_diffusion.images.collections.listed_places import places_read
from retrieval_vs_diffusion.images.collections.marks import Marks
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.parts import part


@part
class CaptionsCsv:
    """A CSV (or TSV) with a line for each image; of an image with several lines the first counts.

    Columns ``punsafe``, ``NSFW`` and ``pwatermark`` say of an image what they say in img2dataset's files.

    Args:
        path: the CSV, or the folder whose only CSV it is. Paths count from its folder.
        image_column: the column of paths; None for the one called ``path``, ``file_name``, ``image``, ...
        caption_column: the column of captions; None for the one called ``caption``, ``text``, ...
        label_column: a column of labels; None for the one called ``label``, ``class``, ..., where there is one.
    """

    path: Path
    image_column: str | None = None
    caption_column: str | None = None
    label_column: str | None = None

    @property
    def reads(self) -> tuple[Path, ...]:
        """The CSV, and the folders or files beside it, or elsewhere, where the images are."""
        listed = only_list_in(self.path)
        try:
            return places_read(listed, (entry.key for entry in self.entries()))
        except UserError:  # whoever reads it says what is wrong with it
            return (listed,)

    def entries(self) -> Iterator[Sample]:
        """Key (the path as it is listed), caption and label of each image.

        Raises:
            UserError: if columns are missing, or what is to be a probability is none.
        """
        for sample in self.samples():
            yield replace(sample, image=None)

    def samples(self, only: Container[str] | None = None, faults: Counter[str] | None = None) -> Iterator[Sample]:
        """The entries with the paths of their files."""
        table = ListedFiles(only_list_in(self.path))
        columns = table.columns
        image = Wanted("image", self.image_column, PATH_NAMES).choose(columns, table.path) or ""
        caption = Wanted("caption", self.caption_column, CAPTION_NAMES).choose(columns, table.path) or ""
        label = Wanted("label", self.label_column, LABEL_NAMES, needed=False).choose(columns, table.path)
        marks = Marks.found_in(columns)
        seen: set[str] = set()

        def refuse(name: str, value: str) -> NoReturn:
            raise UserError(
                f'{table.path}: line {line} has the {name} "{value}"; a number from 0 to 1, or nothing, will do'
            )

        for line, row in table.rows():
            key, file = table.file_of(line, row, image)
            if key in seen:
                if faults is not None:
                    faults["listed twice"] += 1
                continue
            seen.add(key)
            if only is None or key in only:
                written = row[label].strip() or None if label else None
                unsafe, watermark = marks.probabilities(row, refuse)
                yield Sample(
                    key=key,
                    image=file,
                    label=written,
                    caption=row[caption].strip() or None,
                    source=str(file),
                    unsafe=unsafe,
                    watermark=watermark,
                )
