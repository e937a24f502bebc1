"""Exact search over files of embeddings, in this process and by actors of Ray on this machine: vectors a second.

    OMP_NUM_THREADS=1 python -m benchmarks.scaling.sharded_search [--vectors 1500000 --queries 1000 --k 780 --actors 1 2]

Takes 1 kB of disk a vector and, at these numbers, some minutes. Vectors lie in clusters on the sphere, half precision, 512
dimensions, in files of 250,000. Each side finds the files in the system's cache. Seconds hold the start of the actors: a
search with one query is little else. Ends with 1 if answers differ.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.scaling.on_actors import asked, ways
from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.models.sharded_search import sharded_search, unit_ranges
from retrieval_vs_diffusion.models.sharded_vectors import ShardedVectors

WIDTH, PER_FILE, CLUSTERS = 512, 250_000, 200


def unit_vectors(random: np.random.Generator, centres: np.ndarray, number: int) -> np.ndarray:
    """Near centres in turn."""
    drawn = random.standard_normal((number, WIDTH), dtype=np.float32)
    drawn = 0.7 * drawn + centres[np.arange(number) % len(centres)]
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def write_files(folder: Path, vectors: int) -> tuple[list[Path], np.random.Generator, np.ndarray]:
    """The files, and what queries are drawn with."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((CLUSTERS, WIDTH), dtype=np.float32)
    files = []
    for first in range(0, vectors, PER_FILE):
        files.append(folder / f"{len(files):03d}.npy")
        np.save(files[-1], unit_vectors(random, centres, min(PER_FILE, vectors - first)).astype(np.float16))
    return files, random, centres


def main() -> None:
    """Write the files, search them, and print a line a way."""
    given = asked(__doc__, vectors=1_500_000, queries=1_000, k=780)
    with tempfile.TemporaryDirectory() as place:
        files, random, centres = write_files(Path(place), given.vectors)
        queries = unit_vectors(random, centres, given.queries)
        embeddings = Embeddings(ShardedVectors(files), "drawn")

        def tell(who: str) -> list[np.ndarray]:
            found: list[np.ndarray] = []
            for some, k in ((queries[:1], 10), (queries, given.k)):
                started = time.perf_counter()
                found += sharded_search(embeddings, some, k)
                seconds = time.perf_counter() - started
                rate = len(embeddings) / seconds
                print(f"{who}: {len(some)} queries, {seconds:.1f} s, {rate:,.0f} vectors/s", flush=True)
            return found

        units = len(unit_ranges(embeddings, given.queries, given.k))
        print(f"{len(embeddings):,} vectors in {len(files)} files, {units} units, k = {given.k}", flush=True)
        here, *others = [tell(who) for who in ways(given.actors)]
    same = all(mine.tobytes() == its.tobytes() for each in others for mine, its in zip(here, each, strict=True))
    print("the same to the bit" if same else "ANSWERS DIFFER")
    sys.exit(not same)


if __name__ == "__main__":
    main()
