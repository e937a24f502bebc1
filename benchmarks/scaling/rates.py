"""Rates and sizes that the planning table needs and that no other measurement here gives.

    OMP_NUM_THREADS=1 python -m benchmarks.scaling.rates [--only link_table+search] [--output FILE]

Each is measured with the production code in a process of its own. Seconds are the processor's, of one thread, so that other work on the
machine counts little. What was measured goes into ``benchmarks/scaling/rates.json`` with command, date and
machine; other entries stay as they are: they say themselves where they are from.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.growth.watching import bytes_in

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("rates.json")
WIDTH = 768
Measured = dict[str, tuple[float, str]]  # a name to a value and what it is


def main() -> None:
    """Measure, and write what was measured into the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names joined by +; without it all")
    parser.add_argument("--output", type=Path, default=FILE)
    parser.add_argument("--measure", choices=list(MEASURES), help="one, in this process")
    asked = parser.parse_args()
    if asked.measure:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(MEASURES[asked.measure](Path(folder))))
        return
    for name in asked.only.split("+") if asked.only else MEASURES:
        command = ["-m", "benchmarks.scaling.rates"]
        done = subprocess.run(
            [sys.executable, *command, "--measure", name], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
        )
        where = {
            "kind": "measured",
            "command": f"python {' '.join(command)} --only {name}",
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": machine.device(),
        }
        known: dict[str, Any] = json.loads(asked.output.read_text()) if asked.output.exists() else {}
        for key, (value, what) in json.loads(done.stdout.splitlines()[-1]).items():
            known[key] = {"value": float(f"{value:.3g}"), "what": what, **where}
            print(f"{key}: {value:.3g}, {what}", flush=True)
        asked.output.write_text(json.dumps(known, indent=1) + "\n")


def link_table(folder: Path) -> Measured:
    """A pool of links as it is stored, opened and looked through."""
    from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
    from retrieval_vs_diffusion.images.image_stream import ImageStream

    number, random = 100_000, np.random.default_rng(0)
    words = [f"{random.integers(16**6):06x}" for _ in range(5_000)]

    def row(at: int) -> dict[str, Any]:
        path = "/".join(words[each] for each in random.integers(len(words), size=8))
        caption = " ".join(words[each] for each in random.integers(len(words), size=10))
        return {
            "image_id": f"{at:012d}",
            "content_hash": "",
            "caption": caption,
            "source": f"https://{words[at % 5_000]}.org/{path}.jpg",
        }

    dataset = ImageTableDataset(filepath=str(folder / "pool"))
    rows = [row(at) for at in range(number)]
    began = time.process_time()
    dataset.save(ImageStream(rows))
    written = time.process_time() - began
    del rows
    shards = len(list((folder / "pool").glob("shard-*.parquet")))
    opened, held = _held(dataset.load)
    began = time.process_time()
    opened.rows_with("refused")
    looked = time.process_time() - began
    began = time.process_time()
    dataset.load()
    return {
        "link_row_bytes": (
            bytes_in(folder) / number,
            "bytes on the disk for a link of 70 letters and its caption of as many",
        ),
        "link_row_write_core_s": (written / number, "core-seconds to write a link's row"),
        "link_shard_open_core_s": (
            (time.process_time() - began) / shards,
            "core-seconds to open a shard of 10,000 links",
        ),
        "link_row_open_bytes": (held / number, "bytes of memory for each link while the table is open"),
        "link_row_look_core_s": (looked / number, "core-seconds a link to find the refused ones"),
    }


def generated_image(folder: Path) -> Measured:
    """The bytes of an image of 512 pixels with the detail of photographs, as a row's table holds it."""
    from benchmarks.natural_pictures import natural_pictures
    from retrieval_vs_diffusion.images.image_stream import ImageStream
    from retrieval_vs_diffusion.images.image_table import image_row
    from retrieval_vs_diffusion.images.image_table_writer import write_shards

    del folder
    pictures = natural_pictures(64, 512)
    began = time.process_time()
    rows = [image_row(picture, str(number)) for number, picture in enumerate(pictures)]
    encoded = time.process_time() - began
    with tempfile.TemporaryDirectory() as place:
        write_shards(ImageStream(rows), Path(place))
        size = bytes_in(Path(place))
    return {
        "image_512_bytes": (size / len(rows), "bytes of a row with an image of 512 pixels, JPEG 95"),
        "image_512_encode_core_s": (encoded / len(rows), "core-seconds to encode and hash it"),
    }


def search(folder: Path) -> Measured:
    """A streamed search of half-precision vectors for a thousand classes, of which each wants 390."""
    from retrieval_vs_diffusion.models.embeddings import Embeddings
    from retrieval_vs_diffusion.models.sharded_vectors import ShardedVectors
    from retrieval_vs_diffusion.models.streamed_search import streamed_search

    number = 100_000
    _write_vectors(folder / "vectors.npy", number)
    embeddings = Embeddings(ShardedVectors([folder / "vectors.npy"]), "drawn")
    queries = _unit(np.random.default_rng(2).standard_normal((1_000, WIDTH), dtype=np.float32))
    streamed_search(embeddings, queries[:1], 10)
    began = time.process_time()
    streamed_search(embeddings, queries, 780)
    spent = time.process_time() - began
    return {"search_vector_core_s": (spent / number, "core-seconds a vector of 768, 1,000 queries, their 780 nearest")}


def index(folder: Path) -> Measured:
    """Filling the kind of index that ``auto`` takes for the largest pools."""
    import faiss

    faiss.omp_set_num_threads(1)
    lists = 1_024
    made = faiss.index_factory(WIDTH, f"OPQ64_256,IVF{lists}_HNSW32,PQ64", faiss.METRIC_INNER_PRODUCT)
    random = np.random.default_rng(0)
    sample = _unit(random.standard_normal((10_000, WIDTH), dtype=np.float32))
    # How well the codes fit does not matter here, and training them would take minutes.
    faiss.downcast_index(made.index).cp.niter = faiss.downcast_index(made.index).pq.cp.niter = 1
    rotation = faiss.downcast_VectorTransform(made.chain.at(0))
    rotation.niter, rotation.niter_pq, rotation.niter_pq_0 = 1, 1, 1
    made.train(sample)
    empty = _file_bytes(made, folder)
    began = time.process_time()
    made.add(sample)
    spent = time.process_time() - began
    return {
        "index_add_core_s": (
            spent / len(sample),
            "core-seconds to add a vector of 768 to OPQ64_256,IVF1024_HNSW32,PQ64",
        ),
        "index_vector_bytes": ((_file_bytes(made, folder) - empty) / len(sample), "bytes of that index a vector"),
    }


def kept_units(folder: Path) -> Measured:
    """Finding a unit among those that a step has kept."""
    from retrieval_vs_diffusion.unfinished import Section

    kept, number = Section(folder / "units"), 20_000
    kept.keep(0, lambda path: path.write_bytes(b""))
    (first,) = (folder / "units").iterdir()
    for at in range(1, number):  # as ``keep`` would, which brings each to the disk
        place = kept.place(at)
        place.parent.mkdir(exist_ok=True)
        place.with_suffix(first.suffix).touch()
    began = time.process_time()
    found = [kept.find(at, lambda path: path) for at in range(0, number, 100)]
    spent = (time.process_time() - began) / len(found)
    assert None not in found
    return {"unit_find_core_s": (spent, f"core-seconds to find an empty unit among {number:,}")}


def embeddings(folder: Path) -> Measured:
    """Vectors as we write them."""
    from retrieval_vs_diffusion.catalog.search_datasets import EmbeddingsDataset
    from retrieval_vs_diffusion.models.embeddings import EmbeddingStream

    number = 50_000
    drawn = [np.random.default_rng(at).standard_normal((1_000, WIDTH), dtype=np.float32) for at in range(50)]
    began = time.process_time()
    EmbeddingsDataset(filepath=str(folder / "made")).save(EmbeddingStream(drawn, number, "drawn"))
    spent = time.process_time() - began
    return {
        "vector_write_core_s": (spent / number, "core-seconds to write a vector of 768"),
        "vector_bytes": (bytes_in(folder) / number, "bytes of a vector of 768 that we wrote: single precision"),
    }


MEASURES: dict[str, Callable[[Path], Measured]] = {
    each.__name__: each for each in (link_table, generated_image, embeddings, search, index, kept_units)
}


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _write_vectors(file: Path, number: int) -> None:
    random = np.random.default_rng(1)
    made = np.lib.format.open_memmap(file, "w+", np.float16, (number, WIDTH))
    for start in range(0, number, 10_000):
        made[start : start + 10_000] = _unit(random.standard_normal((10_000, WIDTH), dtype=np.float32))
    made.flush()


def _file_bytes(made: Any, folder: Path) -> int:
    import faiss

    faiss.write_index(made, str(folder / "index"))
    return (folder / "index").stat().st_size


def _held(load: Callable[[], Any]) -> tuple[Any, int]:
    """What a call gives, and the bytes that Python and NumPy hold for it."""
    import tracemalloc

    load()  # modules are loaded
    tracemalloc.start()
    loaded = load()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return loaded, held


if __name__ == "__main__":
    main()
