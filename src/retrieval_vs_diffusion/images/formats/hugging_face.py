"""Data sets of the library ``datasets``: saved by it in a folder, or by name from the Hugging Face hub."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.cell_values import check_batch, value_of
from retrieval_vs_diffusion.images.collections.part_names import PARTS, part_named
from retrieval_vs_diffusion.images.collections.record_batches import DAMAGE, ROWS_AT_ONCE
from retrieval_vs_diffusion.images.collections.table_columns import Needs, TableColumns
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.remote.folder_copy import on_disk

logger = logging.getLogger(__name__)


@part
class HuggingFace:
    """A data set with a column of images. No code of a data set's is run: this version of ``datasets`` has no way to.

    Args:
        path: a folder that ``save_to_disk`` wrote, of one data set or of several splits.
        name: instead of a path, the name on the hub, e.g. ``uoft-cs/cifar10``.
        config: which of the hub's configurations, where there are several.
        image_column: None for the only one.
        label_column: None for the only one.
        caption_column: None for the only one.
        split_column: of train, val and test; None for ``split``, where there is one.
        needs: ``label`` or ``caption``, if there must be one.
    """

    path: Path | None = None
    name: str | None = None
    config: str | None = None
    image_column: str | None = None
    label_column: str | None = None
    caption_column: str | None = None
    split_column: str | None = None
    needs: Needs = None

    @property
    def reads(self) -> tuple[Path, ...]:
        """The folder; nothing of what the hub has."""
        return (self.path,) if self.path is not None else ()

    def entries(self) -> Iterator[Sample]:
        """Key (split and row), label, part and caption of each row; images are not read.

        Raises:
            UserError: if there is no such data set, it is damaged, or columns are missing.
        """
        yield from self._samples(None, with_images=False)

    def samples(self, only: Container[str] | None = None, faults: Counter[str] | None = None) -> Iterator[Sample]:
        """The rows with their images, as they are encoded."""
        yield from self._samples(only, with_images=True)

    def _samples(self, only: Container[str] | None, with_images: bool) -> Iterator[Sample]:
        for split, dataset in self._splits():
            place = f"{self.path or self.name}, split {split}"
            columns = TableColumns.found_in(
                dataset.features.arrow_schema,
                place,
                image=self.image_column,
                label=self.label_column,
                caption=self.caption_column,
                split=self.split_column,
                needs=self.needs,
            )
            rows = _rows(dataset, split, columns, only, with_images)
            while True:
                try:  # around the reading alone: what becomes of a row is another matter
                    number, row = next(rows)
                except StopIteration:
                    break
                except (*DAMAGE, IndexError) as error:
                    reason = " ".join(str(error).split())[:200]
                    raise UserError(f"{place}: is damaged ({reason}); save it again") from error
                yield columns.sample(f"{split}/{number}", row, place, part_named(split), self._folders())

    def _splits(self) -> Iterator[tuple[str, Any]]:
        from datasets import DatasetDict

        loaded = self._loaded()
        if not isinstance(loaded, DatasetDict):
            yield "all", loaded
            return
        known = [split for split in loaded if part_named(split)]
        if known and len(known) < len(loaded):
            others = ", ".join(split for split in loaded if split not in known)
            logger.warning(
                "%s: splits other than %s are left out: %s", self.path or self.name, ", ".join(PARTS), others
            )
        for split in known or loaded:
            yield split, loaded[split]

    def _loaded(self) -> Any:
        import datasets

        if (self.path is None) == (self.name is None):
            raise UserError("hugging_face: give a path, or the name of a data set on the hub, not both")
        folder = on_disk(self.path) if self.path is not None else None
        try:
            if folder is not None:
                return _within(folder, datasets.load_from_disk(str(folder)))
            return datasets.load_dataset(self.name, self.config)
        except Exception as error:  # of its network, its files, or its settings: what `datasets` raises has no base
            raise UserError(self._not_loaded(error)) from error

    def _folders(self) -> tuple[Path, ...]:
        """Where files of images may lie: in the data set, or where ``datasets`` keeps what it downloads."""
        if self.path is not None:
            return (self.path,)
        from datasets import config
        from huggingface_hub.constants import HF_HUB_CACHE

        return tuple(Path(place) for place in (config.HF_CACHE_HOME, config.HF_DATASETS_CACHE, HF_HUB_CACHE))

    def _not_loaded(self, error: Exception) -> str:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if self.path is not None:
            return f"{self.path}: is no data set that save_to_disk wrote ({reason})"
        return (
            f'"{self.name}" is neither a folder nor a data set that the Hugging Face hub gives ({reason}); without '
            f"network, bring it: `hf download {self.name} --repo-type dataset --local-dir FOLDER`, and give the folder"
        )


def _rows(
    dataset: Any, split: str, columns: TableColumns, only: Container[str] | None, with_images: bool
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and values by column of the wanted rows, as they are stored: nothing is decoded or fetched."""
    wanted = [number for number in range(len(dataset)) if only is None or f"{split}/{number}" in only]
    read = columns.all if with_images else columns.described
    if not read:
        yield from ((number, {}) for number in wanted)
        return
    chosen = dataset.select_columns(read)
    for batch in chosen.data.table.to_batches():
        check_batch(batch)
    if len(wanted) < len(dataset):
        chosen = chosen.select(wanted)
    for start, table in enumerate(chosen.with_format("arrow").iter(batch_size=ROWS_AT_ONCE)):
        for within in range(table.num_rows):
            yield wanted[start * ROWS_AT_ONCE + within], {name: value_of(table.column(name)[within]) for name in read}


def _within(folder: Path, loaded: Any) -> Any:
    """The data set, if the files that it names lie in its folder."""
    from datasets import DatasetDict

    place = os.path.abspath(folder)
    for dataset in loaded.values() if isinstance(loaded, DatasetDict) else (loaded,):
        for file in dataset.cache_files:
            if not Path(os.path.abspath(file["filename"])).is_relative_to(place):
                raise ValueError(f"it names the file {file['filename']}, which lies outside of it")
    return loaded
