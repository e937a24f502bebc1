"""Image tables as folders of Parquet shards with a manifest."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import ImagePreview

from retrieval_vs_diffusion.catalog.atomic import replacing

if TYPE_CHECKING:
    from retrieval_vs_diffusion.images.image_table import ImageTable

ROWS_PER_SHARD = 10_000
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
        """Read all shards that the manifest names.

        Raises:
            DatasetError: if the manifest or a shard is missing or has another number of rows.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        from retrieval_vs_diffusion.images.image_table import SCHEMA, ImageTable

        try:
            manifest = json.loads((self._filepath / MANIFEST).read_text())
        except (OSError, ValueError) as error:
            raise DatasetError(f"{self._filepath} is no whole image table: {error}") from error
        shards = []
        for shard in manifest["shards"]:
            table = pq.read_table(self._filepath / shard["file"])
            if table.num_rows != shard["rows"]:
                raise DatasetError(
                    f"{self._filepath / shard['file']}: found {table.num_rows} rows, not {shard['rows']}"
                )
            shards.append(table)
        return ImageTable(pa.concat_tables(shards) if shards else SCHEMA.empty_table(), manifest["ledger"])

    def save(self, data: ImageTable) -> None:
        """Write shards and manifest; the folder appears when it is whole."""
        import pyarrow.parquet as pq

        with replacing(self._filepath) as folder:
            folder.mkdir()
            shards = []
            for number, start in enumerate(range(0, len(data), ROWS_PER_SHARD)):
                part = data.table.slice(start, ROWS_PER_SHARD)
                file = f"shard-{number:05d}.parquet"
                pq.write_table(part, folder / file, compression="zstd")
                shards.append({"file": file, "rows": part.num_rows})
            manifest = {"rows": len(data), "shards": shards, "ledger": data.ledger}
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
