"""Image files with a CSV that says the label of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.columns import LABEL_NAMES, PATH_NAMES, SPLIT_NAMES, Wanted
from retrieval_vs_diffusion.images.collections.listed_files import ListedFiles, only_list_in
from retrieval_vs_diffusion.images.collections.listed_places import places_read
from retrieval_vs_diffusion.images.collections.part_names import PARTS, part_named
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.parts import part


@part
class LabelsCsv:
    """A CSV (or TSV) with a line for each image. Paths count from its folder; absolute ones are taken as they are.

    Args:
        path: the CSV, or the folder whose only CSV it is.
        image_column: the column of paths; None for the one called ``path``, ``file``, ...
        label_column: the column of labels; None for the one called ``label``, ``class``, ...
        split_column: the column of train, val and test; None for ``split``, where there is one.
    """

    path: Path
    image_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None

    @property
    def reads(self) -> tuple[Path, ...]:
        """The CSV, and the folders or files beside it, or elsewhere, where the images are."""
        return places_read(only_list_in(self.path), (entry.key for entry in self.entries()))

    def entries(self) -> Iterator[Sample]:
        """Key (the path as it is listed), label and part of each image.

        Raises:
            UserError: if columns are missing, an image has two labels, or a part is unknown.
        """
        for sample in self.samples():
            yield Sample(key=sample.key, label=sample.label, part=sample.part)

    def samples(self, only: Container[str] | None = None, faults: Counter[str] | None = None) -> Iterator[Sample]:
        """The entries with the paths of their files."""
        table = ListedFiles(only_list_in(self.path))
        columns = table.columns
        image = Wanted("image", self.image_column, PATH_NAMES).choose(columns, table.path) or ""
        label = Wanted("label", self.label_column, LABEL_NAMES).choose(columns, table.path) or ""
        split = Wanted("split", self.split_column, SPLIT_NAMES, needed=False).choose(columns, table.path)
        labels: dict[str, str | None] = {}
        for line, row in table.rows():
            key, file = table.file_of(line, row, image)
            written = row[label].strip() or None
            if key in labels:
                if labels[key] != written:
                    raise UserError(
                        f'{table.path}: line {line} says "{written}" of {key}, an earlier one "{labels[key]}"; '
                        "an image has one label"
                    )
                if faults is not None and (only is None or key in only):
                    faults["listed twice"] += 1
                continue
            labels[key] = written
            part_of_set = part_named(row[split]) if split else None
            if split and part_of_set is None:
                raise UserError(
                    f'{table.path}: line {line} has the {split} "{row[split]}"; one of {", ".join(PARTS)} will do'
                )
            if only is None or key in only:
                yield Sample(key=key, image=file, label=written, part=part_of_set, source=str(file))
