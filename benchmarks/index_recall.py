"""Recall@10, size and speed of several FAISS indices over clustered vectors like a pool's.

Run:  python benchmarks/index_recall.py [vectors] [dimensions] [factory ...]
"""

import sys
import time

import numpy as np

from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.models.index_recall import measure_recall
from retrieval_vs_diffusion.models.index_settings import IndexSettings, choose_factory
from retrieval_vs_diffusion.models.vector_index import build_index

QUERIES, NEIGHBOURS, CLUSTERS, SPREAD = 200, 10, 2000, 0.7
FACTORIES = ("Flat", "SQ8", "IVF1024,Flat", "IVF1024,SQ8", "IVF1024,PQ16", "HNSW32")


def clustered(n: int, d: int, seed: int) -> np.ndarray:
    """Unit vectors around the same centres for each seed; clusters differ in size, as a pool's subjects do."""
    centres = np.random.default_rng(0).normal(size=(CLUSTERS, d)).astype(np.float32)
    random = np.random.default_rng(seed)
    sizes = 1 / np.arange(1, CLUSTERS + 1)
    vectors = centres[random.choice(CLUSTERS, n, p=sizes / sizes.sum())]
    vectors = vectors + SPREAD * random.normal(size=(n, d)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def main() -> None:
    """Print one line a factory, and for what ``auto`` takes above its threshold one for each number of lists read."""
    n, d = (int(each) for each in (*sys.argv[1:3], *("200000", "64")[len(sys.argv[1:3]) :]))
    bytes_exact = 4 * n * d
    automatic = choose_factory(n, d, IndexSettings(exact_up_to_bytes=bytes_exact // 2, stream_up_to_bytes=0))
    embeddings = Embeddings(clustered(n, d, 1), "synthetic")
    queries = clustered(QUERIES, d, 2)
    print(f"{n} vectors of {d} dimensions, {bytes_exact / 1e6:.0f} MB; {QUERIES} queries at once")
    print(f"{'index':58} recall@{NEIGHBOURS}     MB  build s  ms/query  exact ms/query")
    runs = [(automatic, nprobe) for nprobe in (1, 8, 32, 64, 128)] if not sys.argv[3:] else []
    runs += [(each, None) for each in sys.argv[3:] or FACTORIES]
    for factory, nprobe in runs:
        started = time.perf_counter()
        index = build_index(embeddings, IndexSettings(factory=factory, nprobe=nprobe))
        built = time.perf_counter() - started
        measured = measure_recall(index, embeddings, queries, NEIGHBOURS)
        print(
            f"{measured['index']:58} {measured['recall']:9.3f} {measured['index_bytes'] / 1e6:6.1f} {built:8.1f} "
            f"{1e3 * measured['seconds_per_query']:9.3f} {1e3 * measured['exact_seconds_per_query']:15.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
