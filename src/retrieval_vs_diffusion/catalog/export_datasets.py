"""What is taken home: training sets as folders that other tools read, and texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from retrieval_vs_diffusion.atomic import replacing

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.training_set import TrainingSet

_MANIFEST = "manifest.csv"  # as images.image_folder calls it, which is imported when something is read


class TrainingSetDataset(AbstractDataset["TrainingSet", "pd.DataFrame"]):
    """A folder with ``images/<class>/``, ``shards/train-00000.tar``, ... and ``manifest.csv``.

    Args:
        filepath: the folder.
        metadata: for Kedro's plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """The manifest, its texts as they were."""
        from retrieval_vs_diffusion.images.image_folder import read_manifest

        return read_manifest(self._filepath / _MANIFEST)

    def save(self, data: TrainingSet) -> None:
        """Write images, shards and manifest; the folder appears when it is whole."""
        from retrieval_vs_diffusion.images.image_folder import write_image_folder
        from retrieval_vs_diffusion.images.web_dataset import write_shards

        with replacing(self._filepath) as folder:
            folder.mkdir()
            write_image_folder(data, folder)
            (folder / "shards").mkdir()
            write_shards(data, folder / "shards")

    def _exists(self) -> bool:
        return (self._filepath / _MANIFEST).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class WholeTextDataset(AbstractDataset[str, str]):
    """A text file of UTF-8 that is whole or absent.

    Args:
        filepath: the file.
        metadata: for Kedro's plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> str:
        """Read it."""
        return self._filepath.read_text(encoding="utf-8")

    def save(self, data: str) -> None:
        """Write it."""
        with replacing(self._filepath) as partial:
            partial.write_text(data, encoding="utf-8")

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
