"""What img2dataset writes with ``output_format=parquet``: a row for each link, with the image if it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.record_batches import common_schema, schema_of
from retrieval_vs_diffusion.images.collections.shards import Shards
from retrieval_vs_diffusion.images.collections.sidecars import NOT_DOWNLOADED, TWICE
from retrieval_vs_diffusion.images.collections.table_columns import Needs, TableColumns
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.remote.ahead import fetched_ahead


@part
class Img2datasetParquet:
    """Parquet files with the columns key, status, url, caption and ``jpg`` (or png, webp).

    Args:
        path: the folder, or one of its files.
        image_column: None for the only one.
        caption_column: None for the only one.
        label_column: None for the only one, where there is one.
        needs: ``label`` or ``caption``, if there must be one.
    """

    path: Path
    image_column: str | None = None
    caption_column: str | None = None
    label_column: str | None = None
    needs: Needs = None

    @property
    def reads(self) -> tuple[Path, ...]:
        """The file or folder."""
        return (self.path,)

    def entries(self) -> Iterator[Sample]:
        """Key (shard and img2dataset's key), caption and label of each row that was downloaded; no images.

        Raises:
            UserError: if columns are missing or differ between shards, or no file is whole.
        """
        yield from self._samples(None, Counter(), with_images=False)

    def samples(self, only: Container[str] | None = None, faults: Counter[str] | None = None) -> Iterator[Sample]:
        """The rows that were downloaded, with their images; the others are counted."""
        yield from self._samples(only, faults if faults is not None else Counter(), with_images=True)

    def _samples(self, only: Container[str] | None, faults: Counter[str], with_images: bool) -> Iterator[Sample]:
        found = Shards(self.path, faults)
        shards = found.files
        schema = schema_of(shards[0])
        for needed in ("key", "status"):
            if needed not in schema.names:
                raise UserError(
                    f"{shards[0]}: has no column {needed}, as img2dataset writes it; format: parquet will do"
                )
        columns = TableColumns.found_in(
            schema,
            shards[0],
            image=self.image_column,
            caption=self.caption_column,
            label=self.label_column,
            needs=self.needs,
        )
        read = ["key", "status", *(name for name in columns.described if name not in {"key", "status"})]
        common_schema(shards, [*read, columns.image])
        root = self.path if self.path.is_dir() else self.path.parent
        for shard in fetched_ahead(shards):
            prefix = shard.relative_to(root).with_suffix("").as_posix()
            seen: set[str] = set()
            for _, row in found.rows(shard, [*read, columns.image] if with_images else read):
                key = f"{prefix}/{row['key']}"
                if row["status"] != "success":
                    faults[NOT_DOWNLOADED] += 1
                elif row["key"] is None:
                    faults["without a key"] += 1
                elif key in seen:
                    faults[TWICE] += 1
                else:
                    seen.add(key)
                    if only is None or key in only:
                        yield columns.sample(key, row, shard, None, (root,))
