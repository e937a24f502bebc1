"""A pool's embeddings and the index over them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from retrieval_vs_diffusion.catalog.atomic import replacing

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.vector_index import Embeddings, VectorIndex

_ABOUT = "about.json"


class EmbeddingsDataset(AbstractDataset["Embeddings", "Embeddings"]):
    """A folder with ``embeddings.npy`` [n, d], the name of the CLIP model that made them, and what that took.

    Args:
        filepath: the folder.
        metadata: for Kedro's plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Embeddings:
        """Memory-map the vectors."""
        import numpy as np

        from retrieval_vs_diffusion.models.vector_index import Embeddings

        about = json.loads((self._filepath / _ABOUT).read_text())
        vectors = np.load(self._filepath / "embeddings.npy", mmap_mode="r", allow_pickle=False)
        return Embeddings(vectors, about["clip_name"], about.get("seconds", 0.0))

    def save(self, data: Embeddings) -> None:
        """Write vectors and model name."""
        import numpy as np

        with replacing(self._filepath) as folder:
            folder.mkdir()
            np.save(folder / "embeddings.npy", data.vectors, allow_pickle=False)
            (folder / _ABOUT).write_text(json.dumps({"clip_name": data.clip_name, "seconds": data.seconds}))

    def _exists(self) -> bool:
        return (self._filepath / _ABOUT).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class VectorIndexDataset(AbstractDataset["VectorIndex", "VectorIndex"]):
    """A folder with a FAISS index file and the name of the CLIP model whose embeddings it holds.

    Args:
        filepath: the folder.
        metadata: for Kedro's plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> VectorIndex:
        """Read the index."""
        import faiss

        from retrieval_vs_diffusion.models.vector_index import VectorIndex

        about = json.loads((self._filepath / _ABOUT).read_text())
        return VectorIndex(faiss.read_index(str(self._filepath / "image.index")), about["clip_name"])

    def save(self, data: VectorIndex) -> None:
        """Write index and model name."""
        import faiss

        with replacing(self._filepath) as folder:
            folder.mkdir()
            faiss.write_index(data.faiss_index, str(folder / "image.index"))
            (folder / _ABOUT).write_text(json.dumps({"clip_name": data.clip_name}))

    def _exists(self) -> bool:
        return (self._filepath / _ABOUT).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
