"""Image tables as folders of Parquet shards with a manifest."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import ImagePreview

from retrieval_vs_diffusion.atomic import replacing

if TYPE_CHECKING:
    from retrieval_vs_diffusion.images.image_stream import ImageStream
    from retrieval_vs_diffusion.images.image_table import ImageTable

MANIFEST = "manifest.json"


class ImageTableDataset(AbstractDataset["ImageTable", "ImageTable"]):
    """A folder ``shard-00000.parquet``, ... and ``manifest.json`` with shards, row counts and the ledger.

    Kedro-viz shows a contact sheet of it.

    Args:
        filepath: the folder.
        metadata: for Kedro's plugins, e.g. the layer.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> ImageTable:
        """Open the shards that the manifest names; rows are read when they are asked for.

        Raises:
            DatasetError: if the manifest or a shard is missing or has another number of rows.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        from retrieval_vs_diffusion.images.image_table import SCHEMA, ImageTable
        from retrieval_vs_diffusion.images.parquet_shards import ParquetShards

        try:
            manifest = json.loads((self._filepath / MANIFEST).read_text())
        except (OSError, ValueError) as error:
            raise DatasetError(f"{self._filepath} is no whole image table: {error}") from error
        for shard in manifest["shards"]:
            file = self._filepath / shard["file"]
            try:
                rows = pq.read_metadata(file).num_rows
            except (OSError, pa.ArrowInvalid) as error:
                raise DatasetError(f"{file} is no whole shard: {error}") from error
            if rows != shard["rows"]:
                raise DatasetError(f"{file}: found {rows} rows, not {shard['rows']}")
        shards = ParquetShards([self._filepath / shard["file"] for shard in manifest["shards"]], SCHEMA)
        return ImageTable(shards, manifest["ledger"])

    def save(self, data: ImageTable | ImageStream) -> None:
        """Write shards and manifest; the folder appears when it is whole. A stream is made as it is written."""
        from retrieval_vs_diffusion.images.image_table_writer import write_shards

        with replacing(self._filepath) as folder:
            folder.mkdir()
            shards = write_shards(data, folder)
            rows = sum(shard["rows"] for shard in shards)
            manifest = {"rows": rows, "shards": shards, "ledger": dict(data.ledger)}  # of a stream, whole by now
            (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))

    def preview(self) -> ImagePreview:
        """A contact sheet for kedro-viz."""
        from retrieval_vs_diffusion.images.contact_sheet import contact_sheet, spread_over_classes

        buffer = io.BytesIO()
        contact_sheet(*spread_over_classes(self.load(), columns=10, rows=6)).save(buffer, format="PNG")
        return ImagePreview(base64.b64encode(buffer.getvalue()).decode())

    def _exists(self) -> bool:
        return (self._filepath / MANIFEST).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
