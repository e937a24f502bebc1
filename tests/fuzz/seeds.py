"""Whole files from which the fuzz begins, and those of the corpus that are not too long."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Seeds = Callable[[], list[bytes]]


@contextmanager
def folder() -> Iterator[Path]:
    """An empty one, in memory where that can be."""
    place = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def unit_rows():
    import numpy as np

    drawn = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def pictures() -> list[bytes]:
    from tests.hostile_pool.corpus import all_pictures

    return [each.data for each in all_pictures() if len(each.data) < 20_000]


def packed(form: str, file: str) -> Seeds:
    def seeds() -> list[bytes]:
        from tests.hostile_pool.containers import POOLS, Entry
        from tests.images.made_collections import encoded

        entries = [Entry(f"{number}.png", encoded(number), f"caption {number}") for number in range(3)]
        with folder() as place:
            POOLS[form](place, entries)
            return [(place / file).read_bytes()]

    return seeds


def archives() -> list[bytes]:
    from tests.hostile_pool.test_archives import END, FIRST, LAST, MEMBERS

    between = [FIRST + member + LAST + END for member, _ in MEMBERS.values() if len(member) < 20_000]
    return [*between, *packed("web_dataset", "train-0.tar")()]


def saved_data_set() -> list[bytes]:
    from tests.hostile_pool.containers import Entry, hugging_face
    from tests.images.made_collections import encoded

    with folder() as place:
        hugging_face(place, [Entry(f"{number}.png", encoded(number), f"caption {number}") for number in range(2)])
        files = [(place / "train" / name).read_bytes() for name in ("data-0.arrow", "state.json", "dataset_info.json")]
    return [b"\n\x1e\n".join(files)]


def links() -> list[bytes]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    table, array = io.BytesIO(), io.BytesIO()
    pq.write_table(pa.table({"url": ["http://a/"] * 2, "caption": ["a", "b"], "punsafe": [0.1, 0.9]}), table)
    np.save(array, np.eye(2, 4, dtype=np.float16))
    return [table.getvalue() + b"\n\x1e\n" + array.getvalue()]


def downloads() -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = io.BytesIO()
    rows = {
        "url": ["a", "b"],
        "key": ["0", "1"],
        "status": ["success", "failed_to_download"],
        "error_message": [None, "x"],
    }
    pq.write_table(pa.table(rows), table)
    return [table.getvalue()]


def indexes() -> list[bytes]:
    import faiss

    made = []
    for factory in ("Flat", "IVF4,Flat", "HNSW8,Flat", "SQ8", "IVF4,SQ4"):
        built = faiss.index_factory(8, factory, faiss.METRIC_INNER_PRODUCT)
        built.train(unit_rows())
        built.add(unit_rows())
        made.append(faiss.serialize_index(built).tobytes())
    return made


def arrays() -> list[bytes]:
    from tests.hostile_pool.test_vectors import FILES, GOOD, saved

    return [saved(GOOD), saved(GOOD.astype("f4")), *(each for each in FILES.values() if len(each) < 5_000)]


def texts(*texts: str) -> Seeds:
    return lambda: [text.encode() for text in texts]


def lists() -> list[bytes]:
    from tests.hostile_pool.test_lists import CSVS

    rows = 'path,label,caption,split\na.png,cat,a,train\n/b.png,dog,"b, c",test\n'
    return [rows.encode(), b"class,name,definition\ncat,a,b\n", *(each for each in CSVS.values() if len(each) < 5_000)]


def weights() -> list[bytes]:
    header = json.dumps(
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "__metadata__": {"b": "c"}}
    ).encode()
    return [struct.pack("<Q", len(header)) + header + bytes(8)]


JSON = b'{"caption": "a", "url": "b", "punsafe": 0.1, "pwatermark": 1, "status": "success", "label": 3}'
CONFIGURATION = '{"model_cfg": {"embed_dim": 4, "text_cfg": {"context_length": 8, "hf_tokenizer_name": "x"}}}'
