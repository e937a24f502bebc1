"""Parquet and Arrow files with encoded images, as the Hugging Face hub keeps them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path

from retrieval_vs_diffusion.images.collections.part_names import part_of_file
from retrieval_vs_diffusion.images.collections.record_batches import common_schema, schema_of
from retrieval_vs_diffusion.images.collections.shards import Shards
from retrieval_vs_diffusion.images.collections.table_columns import Needs, TableColumns
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.remote.ahead import fetched_ahead


@part
class Parquet:
    """A table in one or many files ``*.parquet``, ``*.arrow``. Files and folders named train, val or test are parts.

    Args:
        path: a file, or a folder with files in it or in its folders.
        image_column: bytes, or a struct of bytes and path; None for the only one.
        label_column: names, or integers with names in the metadata that ``datasets`` writes; None for the only one.
        caption_column: texts, or lists of them of which the first counts; None for the only one.
        split_column: of train, val and test; None for ``split``, where there is one.
        needs: ``label`` or ``caption``, if there must be one.
    """

    path: Path
    image_column: str | None = None
    label_column: str | None = None
    caption_column: str | None = None
    split_column: str | None = None
    needs: Needs = None

    @property
    def reads(self) -> tuple[Path, ...]:
        """The file or folder."""
        return (self.path,)

    def entries(self) -> Iterator[Sample]:
        """Key (shard and row), label, part and caption of each row; images are not read.

        Raises:
            UserError: if columns are missing or differ between shards, or no file is whole.
        """
        yield from self._samples(None, Counter(), with_images=False)

    def samples(self, only: Container[str] | None = None, faults: Counter[str] | None = None) -> Iterator[Sample]:
        """The rows with their images; row groups without a wanted one are not read, broken shards are counted."""
        yield from self._samples(only, faults if faults is not None else Counter(), with_images=True)

    def _samples(self, only: Container[str] | None, faults: Counter[str], with_images: bool) -> Iterator[Sample]:
        found = Shards(self.path, faults)
        shards = found.files
        columns = TableColumns.found_in(
            schema_of(shards[0]),
            shards[0],
            image=self.image_column,
            label=self.label_column,
            caption=self.caption_column,
            split=self.split_column,
            needs=self.needs,
        )
        common_schema(shards, columns.all)
        root = self.path if self.path.is_dir() else self.path.parent
        # Without a description the rows are still counted, by the column of images.
        read = columns.all if with_images else columns.described or columns.all
        for shard in fetched_ahead(shards):
            inside = shard.relative_to(root)
            keys = inside.as_posix()
            wanted = None if only is None else lambda row, keys=keys: f"{keys}/{row}" in only
            for number, row in found.rows(shard, read, wanted):
                if not with_images:
                    row.pop(columns.image, None)
                yield columns.sample(f"{keys}/{number}", row, shard, part_of_file(inside), (root,))
