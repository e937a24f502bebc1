"""Search over a pool's CLIP embeddings: by a FAISS index, or by streaming them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float, Int

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.models.faiss_calls import factory_of, inverted_lists, said_by_faiss
from retrieval_vs_diffusion.models.gpu_search import GpuSearch
from retrieval_vs_diffusion.models.index_settings import STREAM, IndexSettings, choose_factory
from retrieval_vs_diffusion.models.out_of_memory import is_out_of_memory
from retrieval_vs_diffusion.models.running_best import MOST_ROWS
from retrieval_vs_diffusion.remote.remote_path import as_path

__all__ = ["Embeddings", "IndexSettings", "VectorIndex", "build_index", "refer_to_index"]


@dataclass(frozen=True)
class VectorIndex:
    """Unit vectors searched by inner product, exactly or not.

    Args:
        faiss_index: the index; entry i is row i of the pool. None: each search reads all embeddings once, exactly.
        clip_name: the CLIP model whose embeddings it holds.
        embeddings: what it was built from; where they are given, ``vectors`` reads them.
        path: the file of an index that other tools made; it stays where it is.
        use_gpu: search on the GPU where there is one.

    Raises:
        UserError: if index and embeddings differ in number, dimensions or model.
        ValueError: if there is neither of them.
    """

    faiss_index: Any | None
    clip_name: str
    embeddings: Embeddings | None = None
    path: Path | None = None
    use_gpu: bool = True
    _gpu: GpuSearch = field(default_factory=GpuSearch, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.embeddings is not None:
            self._check_goes_with(self.embeddings)
        elif self.faiss_index is None:
            raise ValueError("without an index the embeddings are searched: give them")

    def __len__(self) -> int:
        return self.faiss_index.ntotal if self.faiss_index is not None else len(self._streamed)

    @property
    def width(self) -> int:
        """Dimensions of a vector."""
        return self.faiss_index.d if self.faiss_index is not None else self._streamed.width

    @property
    def exact(self) -> bool:
        """Whether a search compares a query with every vector, in single precision at least."""
        import faiss

        return self.faiss_index is None or isinstance(self.faiss_index, faiss.IndexFlat)

    @property
    def described(self) -> str:
        """In words, e.g. ``IVF1024,SQ8 (approximate, reads 64 of 1024 lists)``."""
        if self.faiss_index is None:
            return f"{STREAM} (exact, no index)"
        factory = factory_of(self.faiss_index)
        if self.exact:
            return f"{factory} (exact)"
        lists = inverted_lists(self.faiss_index)
        reads = f", reads {lists.nprobe} of {lists.nlist} lists" if lists is not None else ""
        return f"{factory} (approximate{reads})"

    def with_embeddings(self, embeddings: Embeddings) -> VectorIndex:
        """The same index, which gives these embeddings as its vectors.

        Raises:
            UserError: if they are not those that it holds.
        """
        return replace(self, embeddings=embeddings)

    def search(
        self, queries: Float[np.ndarray, "q d"], k: int
    ) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
        """Similarities and pool rows of the k nearest images of each query, nearest first.

        An approximate index gives the similarities of its codes, and may find fewer than k, as streaming does where
        vectors are broken: what is missing stands at the end as row -1 with similarity -inf. Squared distances of an
        L2 index become 1 - distance / 2, which is the inner product of unit vectors; the queries must be unit vectors
        then.

        Raises:
            ValueError: if the index holds fewer than k vectors.
            UserError: if the queries have other dimensions than the index, or it numbers its vectors otherwise.
        """
        if k > len(self):
            raise ValueError(f"asked for {k} neighbours of an index that holds {len(self)}")
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        if queries.shape[1] != self.width:
            raise UserError(
                f"the index holds {self.width}-d embeddings of {self.clip_name}, the queries have "
                f"{queries.shape[1]} dimensions: take the CLIP model that made the embeddings, or embed the pool again"
            )
        if not k:
            return np.zeros((len(queries), 0), np.float32), np.zeros((len(queries), 0), np.int64)
        if self.faiss_index is None:
            return self._stream(queries, k)
        return self._search_index(self.faiss_index, queries, k)

    def _stream(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        import torch

        from retrieval_vs_diffusion.models.sharded_search import sharded_search

        gpu = torch.device("cuda") if self.use_gpu and torch.cuda.is_available() else None
        return sharded_search(self._streamed, queries, k, gpu)

    def _search_index(self, faiss_index: Any, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        import faiss

        searched = self._gpu.index_for(faiss_index, k) if self.use_gpu else faiss_index
        try:
            similarities, rows = searched.search(queries, k)
        except RuntimeError as error:
            if searched is faiss_index or not is_out_of_memory(error):
                raise
            self._gpu.give_up(error)
            similarities, rows = faiss_index.search(queries, k)
        if faiss_index.metric_type == faiss.METRIC_L2:
            similarities = 1 - similarities / 2
        similarities[rows < 0] = -np.inf
        if rows.size and rows.max() >= len(self):
            raise UserError(
                f"{self._origin}: gives number {rows.max()} to one of its {len(self)} vectors; "
                "take an index whose entry i is row i of the embeddings"
            )
        return similarities, rows

    def vectors(self, rows: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n d"]:
        """The embeddings of these pool rows; those that the index can restore from its codes where none are given.

        Raises:
            UserError: if the index restores none.
        """
        import faiss

        if self.embeddings is not None:
            return self.embeddings.rows(np.asarray(rows, dtype=np.int64))
        lists = inverted_lists(self.faiss_index)
        # FAISS 1.15.1 ends the process where such lists are to be restored.
        unrestorable = lists is not None and isinstance(faiss.downcast_index(lists), faiss.IndexIVFFastScan)
        said = "its fast-scan lists cannot be restored"
        if not unrestorable:
            try:
                if lists is not None and lists.direct_map.no():
                    lists.make_direct_map()  # 8 bytes a vector, once
                return cast(Any, self.faiss_index).reconstruct_batch(np.ascontiguousarray(rows, dtype=np.int64))
            except RuntimeError as error:
                said = said_by_faiss(error)
        raise UserError(
            f"{self._origin}: {type(self.faiss_index).__name__} gives no vectors back ({said}); "
            "give the embeddings that it was built from"
        )

    @property
    def _streamed(self) -> Embeddings:
        return cast(Embeddings, self.embeddings)  # without an index they are there, see __post_init__

    @property
    def _origin(self) -> str:
        return str(self.path) if self.path else f"the index over embeddings of {self.clip_name}"

    def _check_goes_with(self, embeddings: Embeddings) -> None:
        if embeddings.clip_name != self.clip_name:
            raise UserError(
                f"{self._origin}: holds vectors of {self.clip_name}, {embeddings.origin} has embeddings of "
                f"{embeddings.clip_name}: build the index again, or name the model that made both"
            )
        if len(self) != len(embeddings):
            raise UserError(
                f"{self._origin}: holds {len(self)} vectors, {embeddings.origin} has {len(embeddings)}: "
                "take an index and embeddings of the same images, or build the index again"
            )
        if len(self) and self.width != embeddings.width:
            raise UserError(
                f"{self._origin}: holds vectors of {self.width} dimensions, {embeddings.origin} has "
                f"{embeddings.width}: take an index and embeddings of the same CLIP model, or build the index again"
            )


def build_index(embeddings: Embeddings, settings: IndexSettings | None = None, seed: int = 0) -> VectorIndex:
    """An index for search by inner product; none where they are streamed; or that at ``settings.path``, if given.

    Args:
        embeddings: of the pool; they stay with the index.
        settings: which index; without them an exact one for small pools, see ``IndexSettings``.
        seed: draws the sample that an approximate one is trained on.

    Raises:
        UserError: if the settings do not fit the embeddings.
    """
    from retrieval_vs_diffusion.models.index_training import make_faiss_index

    settings = settings or IndexSettings()
    factory = choose_factory(len(embeddings), embeddings.width, settings)
    if settings.path is not None:
        return replace(refer_to_index(settings.path, embeddings, settings.nprobe), use_gpu=settings.use_gpu)
    if factory == STREAM:
        if len(embeddings) > MOST_ROWS:  # told before hours of reading
            raise UserError(
                f"index: found {len(embeddings):,} vectors, factory {STREAM} searches up to {MOST_ROWS:,}; take auto "
                "with a smaller index.stream_up_to_bytes, or another factory string"
            )
        return VectorIndex(None, embeddings.clip_name, embeddings, use_gpu=settings.use_gpu)
    made = make_faiss_index(embeddings, settings, seed)
    return VectorIndex(made, embeddings.clip_name, embeddings, use_gpu=settings.use_gpu)


def refer_to_index(path: str | Path, embeddings: Embeddings, nprobe: int | None = None) -> VectorIndex:
    """An index that other tools made over these embeddings, referred to where it lies.

    Args:
        path: the file.
        embeddings: entry i of the index is their row i.
        nprobe: inverted lists that a query reads; without it the file's number, or, where that is FAISS's initial
            1, the number that an index of ours would get.

    Raises:
        UserError: if it cannot be read, or was not made over these embeddings.
    """
    from retrieval_vs_diffusion.models.foreign_index import check_holds, open_foreign

    index = VectorIndex(open_foreign(path, nprobe), embeddings.clip_name, embeddings, as_path(path).absolute())
    check_holds(index, embeddings)
    return index
