"""A pool's embeddings and the index over them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from retrieval_vs_diffusion.atomic import replacing
from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.remote.remote_path import as_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from retrieval_vs_diffusion.models.embeddings import Embeddings, EmbeddingStream
    from retrieval_vs_diffusion.models.vector_index import VectorIndex

_ABOUT = "about.json"
_VECTORS = "embeddings.npy"
_INDEX = "image.index"


class EmbeddingsDataset(AbstractDataset["Embeddings | EmbeddingStream", "Embeddings"]):
    """A folder with ``embeddings.npy`` [n, d], the name of the CLIP model that made them, and what that took.

    Embeddings in files that others wrote stay there: the folder names the files.

    Args:
        filepath: the folder.
        metadata: for Kedro's plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Embeddings:
        """Memory-map the vectors.

        Raises:
            UserError: if files that it refers to are not there any more, or have changed.
        """
        import numpy as np

        from retrieval_vs_diffusion.models.embeddings import Embeddings
        from retrieval_vs_diffusion.models.sharded_vectors import ShardedVectors

        about = json.loads((self._filepath / _ABOUT).read_text())
        vectors: np.ndarray | ShardedVectors
        if "files" in about:
            vectors = ShardedVectors(about["files"])
            if list(vectors.shape) != about["shape"]:
                raise UserError(
                    f"{self._filepath / _ABOUT}: says {about['shape']} for the embeddings at {about['files'][0]}, "
                    f"found {list(vectors.shape)}: run index_build again"
                )
        else:
            vectors = np.load(self._filepath / _VECTORS, mmap_mode="r", allow_pickle=False)
        return Embeddings(vectors, about["clip_name"], about.get("seconds", 0.0), about.get("broken", 0))

    def save(self, data: Embeddings | EmbeddingStream) -> None:
        """Write vectors, a batch at a time, and model name; or where the files are that hold them."""
        from retrieval_vs_diffusion.models.embeddings import EmbeddingStream
        from retrieval_vs_diffusion.models.sharded_vectors import ShardedVectors

        about: dict[str, Any]
        with replacing(self._filepath) as folder:
            folder.mkdir()
            if isinstance(data, EmbeddingStream):
                about = {"broken": _write_vectors(folder / _VECTORS, data, data.total)}
            elif isinstance(data.vectors, ShardedVectors):
                files = [str(file) for file in data.vectors.files]
                about = {"files": files, "shape": list(data.vectors.shape), "broken": data.broken}
            else:
                about = {
                    "broken": data.broken + _write_vectors(folder / _VECTORS, data.batches(), len(data), data.width)
                }
            about |= {"clip_name": data.clip_name, "seconds": data.seconds}
            (folder / _ABOUT).write_text(json.dumps(about))

    def _exists(self) -> bool:
        return (self._filepath / _ABOUT).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class VectorIndexDataset(AbstractDataset["VectorIndex", "VectorIndex"]):
    """A folder with a FAISS index file and the name of the CLIP model whose embeddings it holds.

    An index that other tools made stays where it is: the folder names the file. Where embeddings are searched without
    an index, the folder says so.

    Args:
        filepath: the folder.
        embeddings: the folder of the ``EmbeddingsDataset`` that the index was built from; where it is given, the
            index gives its vectors from there, also those that it holds in coarse codes only.
        metadata: for Kedro's plugins.
    """

    def __init__(self, *, filepath: str, embeddings: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self._embeddings = embeddings
        self.metadata = metadata

    def load(self) -> VectorIndex:
        """Memory-map the index.

        Raises:
            UserError: if its file cannot be read, or does not go with the embeddings.
        """
        from retrieval_vs_diffusion.models.index_file import read_index
        from retrieval_vs_diffusion.models.vector_index import VectorIndex

        about = json.loads((self._filepath / _ABOUT).read_text())
        embeddings = EmbeddingsDataset(filepath=self._embeddings).load() if self._embeddings else None
        if about.get("streamed"):
            return VectorIndex(None, about["clip_name"], embeddings, use_gpu=about["use_gpu"])
        foreign = as_path(about["path"]) if "path" in about else None
        index = read_index(foreign or self._filepath / _INDEX, about.get("nprobe"))
        return VectorIndex(index, about["clip_name"], embeddings, foreign, about.get("use_gpu", True))

    def save(self, data: VectorIndex) -> None:
        """Write index and model name; or where the index is that other tools made, and how it is searched."""
        from retrieval_vs_diffusion.models.faiss_calls import inverted_lists
        from retrieval_vs_diffusion.models.index_file import write_index

        about: dict[str, Any] = {"clip_name": data.clip_name, "use_gpu": data.use_gpu}
        with replacing(self._filepath) as folder:
            folder.mkdir()
            if data.faiss_index is None:
                about["streamed"] = True
            elif data.path is None:
                write_index(data.faiss_index, folder / _INDEX)
            else:
                lists = inverted_lists(data.faiss_index)
                about |= {"path": str(data.path), "nprobe": lists.nprobe if lists is not None else None}
            (folder / _ABOUT).write_text(json.dumps(about))

    def _exists(self) -> bool:
        return (self._filepath / _ABOUT).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "embeddings": self._embeddings}


def _write_vectors(file: Path, batches: Iterable[np.ndarray], total: int, width: int | None = None) -> int:
    """Write unit vectors as one .npy file of single precision, one batch after the other in memory.

    Plainly written, since the pages of a memory map count as the process's memory until the system writes them.

    Returns:
        How many vectors are broken; they are written as zeros.

    Raises:
        ValueError: if there are more or fewer than ``total``, or they differ in dimensions.
    """
    import numpy as np

    from retrieval_vs_diffusion.models.unit_vectors import unit_vectors

    written = broken = 0
    with file.open("wb") as opened:
        for batch in batches:
            if not opened.tell():
                width = batch.shape[1]
                _write_header(opened, total, width)
            if batch.shape[1] != width:
                raise ValueError(f"a batch has {batch.shape[1]} dimensions, the first one had {width}")
            vectors, broken_here = unit_vectors(batch)
            opened.write(vectors.astype(np.float32, copy=False).tobytes())
            written += len(vectors)
            broken += broken_here
        if not opened.tell():
            _write_header(opened, total, width or 0)
    if written != total:
        raise ValueError(f"{total} embeddings were announced, {written} came")
    return broken


def _write_header(opened: Any, total: int, width: int) -> None:
    from numpy.lib import format as npy

    npy.write_array_header_1_0(opened, {"descr": "<f4", "fortran_order": False, "shape": (total, width)})
