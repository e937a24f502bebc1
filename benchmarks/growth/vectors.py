"""A pool of 10 thousand to 1 million embeddings: written, indexed and searched for 100 classes."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np

from benchmarks.growth.series import Series
from benchmarks.growth.watching import NotItsOwn

WIDTH, CLASSES, WANTED = 512, 100, 30
_NOISE = 0.08  # standard deviation of a coordinate; 512 of them have a length of 1.8 beside the centre's 1
_AT_ONCE = 4_096


def _centres() -> np.ndarray:
    centres = np.random.default_rng(0).standard_normal((CLASSES, WIDTH), dtype=np.float32)
    return centres / np.linalg.norm(centres, axis=1, keepdims=True)


def _made(size: int) -> Iterator[np.ndarray]:
    centres = _centres()
    for start in range(0, size, _AT_ONCE):
        random, here = np.random.default_rng((1, start)), min(_AT_ONCE, size - start)
        noise = random.standard_normal((here, WIDTH), dtype=np.float32)
        yield centres[random.integers(CLASSES, size=here)] + _NOISE * noise


def _prepare(size: int, folder: Path) -> None:
    del size, folder


def write(size: int, folder: Path) -> Generator[None, None, NotItsOwn]:
    """What embedding a pool writes; the vectors are drawn, which takes seconds that are not counted."""
    import torch  # noqa: F401  (imported before anything is watched)

    from retrieval_vs_diffusion.catalog.search_datasets import EmbeddingsDataset
    from retrieval_vs_diffusion.models.embeddings import EmbeddingStream

    dataset, drawing = EmbeddingsDataset(filepath=str(folder / "embeddings")), [0.0]

    def drawn() -> Iterator[np.ndarray]:
        batches = _made(size)
        while True:
            busy = time.process_time()
            batch = next(batches, None)
            drawing[0] += time.process_time() - busy
            if batch is None:
                return
            yield batch

    stream = EmbeddingStream(drawn(), size, "made")
    yield
    dataset.save(stream)
    return NotItsOwn(stream.seconds, drawing[0])


def _index(folder: Path, name: str, **settings: object) -> Generator[None, None, None]:
    import faiss  # noqa: F401

    from retrieval_vs_diffusion.catalog.search_datasets import EmbeddingsDataset, VectorIndexDataset
    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.pipelines.index_build.nodes import build_index

    embeddings = EmbeddingsDataset(filepath=str(folder / "embeddings")).load()
    nothing = ImageTable.from_rows([])
    yield
    VectorIndexDataset(filepath=str(folder / name)).save(build_index(None, embeddings, nothing, settings))


def index_flat(size: int, folder: Path) -> Generator[None, None, None]:
    """The exact index."""
    del size
    yield from _index(folder, "flat", factory="Flat")


def index_lists(size: int, folder: Path) -> Generator[None, None, None]:
    """What ``auto`` takes where vectors are too many to be searched exactly: inverted lists of 8-bit codes."""
    yield from _index(folder, "lists", factory="auto", exact_up_to_bytes=size * WIDTH, stream_up_to_bytes=0)


def index_stream(size: int, folder: Path) -> Generator[None, None, None]:
    """What ``auto`` takes before that: no index, each search reads the embeddings; said in a small file."""
    del size
    yield from _index(folder, "stream", factory="stream")


def _search(folder: Path, name: str) -> Generator[None, None, None]:
    import torch  # noqa: F401

    from retrieval_vs_diffusion.catalog.search_datasets import VectorIndexDataset
    from retrieval_vs_diffusion.strategies.ranking import LOWEST_SIMILARITY
    from retrieval_vs_diffusion.strategies.retrieve.by_text import rank_by_text

    queries, none = _centres(), np.zeros(0, dtype=np.int64)
    index = VectorIndexDataset(filepath=str(folder / name), embeddings=str(folder / "embeddings")).load()
    yield
    wanted = dict.fromkeys(range(CLASSES), WANTED)
    ranked = rank_by_text(queries, index, wanted, LOWEST_SIMILARITY, lambda found, _: dict(found), none)
    assert all(len(rows) >= WANTED for rows in ranked.values())


def search_flat(size: int, folder: Path) -> Generator[None, None, None]:
    """The ranking of all classes with the exact index."""
    del size
    yield from _search(folder, "flat")


def search_lists(size: int, folder: Path) -> Generator[None, None, None]:
    """The same with the inverted lists."""
    del size
    yield from _search(folder, "lists")


def search_stream(size: int, folder: Path) -> Generator[None, None, None]:
    """The same without an index."""
    for _ in index_stream(size, folder):
        pass
    yield from _search(folder, "stream")


SERIES = Series(
    "vectors",
    "vectors in the pool",
    (10_000, 100_000, 1_000_000),
    _prepare,
    {
        "write embeddings": write,
        "exact index": index_flat,
        "exact search": search_flat,
        "inverted lists": index_lists,
        "search in lists": search_lists,
        "streamed search": search_stream,
    },
)
