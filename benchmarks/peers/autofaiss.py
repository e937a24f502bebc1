"""autofaiss in an environment of its own: builds an index over a folder's embeddings, as its README does, and searches.

Arguments: a folder with ``img_emb`` and ``queries.npy``; k. Each question says an ``index_key``, null for its choice.
"""

import json
import logging
import sys
import time
from pathlib import Path

sys.path.pop(0)  # this folder, in which this file is called as the package is

import faiss
import numpy as np
from autofaiss import build_index


def main() -> None:
    """Answer one question a line."""
    folder, k = Path(sys.argv[1]), int(sys.argv[2])
    print(json.dumps({"versions": faiss.__version__}), flush=True)
    for line in sys.stdin:
        index_key = json.loads(line)["index_key"]
        started = time.perf_counter()
        index, _ = build_index(
            embeddings=str(folder / "img_emb"),
            index_path=str(folder / "knn.index"),
            index_infos_path=str(folder / "index_infos.json"),
            index_key=index_key,
            metric_type="ip",
            verbose=logging.ERROR,
        )
        built = time.perf_counter() - started
        similarities, rows = index.search(np.load(folder / "queries.npy"), k)
        seconds = time.perf_counter() - started
        np.save(folder / "similarities.npy", similarities)
        np.save(folder / "rows.npy", rows)
        about = json.loads((folder / "index_infos.json").read_text())
        answer = {"seconds": seconds, "built": built, "index": f"{about['index_key']} ({about['index_param']})"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
