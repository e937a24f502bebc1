"""Exact neighbours in a pool that is larger than the memory allowed: streamed once, beside a product over memory maps."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks.measuring import Measured, interleaved
from benchmarks.rows import row
from benchmarks.stages.search import CLIP, Found, same_found

ALLOWED = 160 * 2**20  # bytes
N, WIDTH, QUERIES, K, FILES = 200_000, 512, 1000, 50, 8
PEER_BLOCK = 4096  # rows; of 2,048, 4,096, 8,192, 16,384 and 32,768 it was the fastest for the peer


@row("exact_top_k", "numpy-memmap", at_least=1.5)
def numpy_memmap(folder: Path) -> Measured:
    """Each side in a process of its own, whose peak of memory is read; both find the files in the system's cache."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((200, WIDTH), dtype=np.float32)
    files = [folder / f"img_emb_{part}.npy" for part in range(FILES)]
    for file in files:
        np.save(file, _near(centres, N // FILES, random).astype(np.float16))
    np.save(folder / "queries.npy", _near(centres, QUERIES, random))
    with _Side(ours, folder) as our_side, _Side(numpy_product, folder) as their_side:
        measured = interleaved(our_side.search, their_side.search, repeats=3)
        found, grew = our_side.found, (our_side.grew, their_side.grew)
        same, said = same_found(found, their_side.found)
    pool = sum(file.stat().st_size for file in files)
    said += f"; memory grew by {grew[0] / 1e6:.0f} MB of {ALLOWED / 1e6:.0f} MB allowed (the peer's, with the pages "
    said += f"that it maps, by {grew[1] / 1e6:.0f} MB)"
    work = f"{QUERIES} queries, {N:,} x {WIDTH} in {FILES} fp16 .npy files, {pool / 1e6:.0f} MB, cached, k={K}"
    within = grew[0] <= ALLOWED < pool
    return Measured(measured.ours, measured.theirs, work=work).with_check(same and within, said)


def ours(files: list[Path], queries: np.ndarray) -> Found:
    """The search of a pool whose index settings say ``stream``."""
    from retrieval_vs_diffusion.models.embeddings import Embeddings
    from retrieval_vs_diffusion.models.index_settings import IndexSettings
    from retrieval_vs_diffusion.models.sharded_vectors import ShardedVectors
    from retrieval_vs_diffusion.models.vector_index import build_index

    pool = Embeddings(ShardedVectors(files), CLIP)
    return build_index(pool, IndexSettings(factory="stream", use_gpu=False)).search(queries, K)


def numpy_product(files: list[Path], queries: np.ndarray) -> Found:
    """Blocks of memory-mapped files times the queries, the best of each block merged with the best so far."""
    best = np.full((len(queries), 0), -np.inf, np.float32)
    rows = np.zeros((len(queries), 0), np.int64)
    start = 0
    for file in files:
        mapped = np.load(file, mmap_mode="r")
        for first in range(0, len(mapped), PEER_BLOCK):
            product = queries @ mapped[first : first + PEER_BLOCK].astype(np.float32).T
            near = np.argpartition(product, product.shape[1] - K, axis=1)[:, -K:]
            best = np.concatenate([best, np.take_along_axis(product, near, axis=1)], axis=1)
            rows = np.concatenate([rows, near + start + first], axis=1)
            kept = np.argpartition(best, best.shape[1] - K, axis=1)[:, -K:]
            best, rows = np.take_along_axis(best, kept, axis=1), np.take_along_axis(rows, kept, axis=1)
        start += len(mapped)
    order = np.argsort(-best, axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1), np.take_along_axis(rows, order, axis=1)


class _Side:
    """A search in a process of its own, which says what it found, how long it took and how its memory grew."""

    def __init__(self, search: Callable[[list[Path], np.ndarray], Found], folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(search, folder, there), daemon=True)
        self._process.start()
        self.found: Found = np.zeros((0, 0)), np.zeros((0, 0))
        self.grew = 0

    def search(self) -> float:
        """Search once; returns the seconds."""
        self._here.send(None)
        seconds, self.grew, self.found = self._here.recv()
        return float(seconds)

    def __enter__(self) -> _Side:
        return self

    def __exit__(self, *error: object) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def _serve(search: Callable[[list[Path], np.ndarray], Found], folder: Path, questions: Connection) -> None:
    files, queries = sorted(folder.glob("img_emb_*.npy")), np.load(folder / "queries.npy")
    _load_libraries(queries)
    before = _peak()
    while True:
        questions.recv()
        started = time.perf_counter()
        found = search(files, queries)
        questions.send((time.perf_counter() - started, _peak() - before, found))


def _load_libraries(queries: np.ndarray) -> None:
    """What both sides load before anything is measured, the product's threads and buffers among it."""
    import torch

    import retrieval_vs_diffusion.models.streamed_search
    import retrieval_vs_diffusion.models.vector_index  # noqa: F401

    torch.zeros(1)
    np.matmul(queries[:8], queries[:8].T)


def _peak() -> int:
    """Peak of resident memory so far, in bytes."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def _near(centres: np.ndarray, number: int, random: np.random.Generator) -> np.ndarray:
    vectors = random.standard_normal((number, centres.shape[1]), dtype=np.float32)
    vectors += 0.5 * centres[random.integers(0, len(centres), number)]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
