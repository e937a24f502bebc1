"""All queries of all classes in one search: beside query by query, and beside autofaiss with the building included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index_recall import clustered
from benchmarks.measuring import Measured, interleaved
from benchmarks.peer_process import PeerProcess
from benchmarks.rows import row
from retrieval_vs_diffusion.models.embeddings import Embeddings, embeddings_of_files
from retrieval_vs_diffusion.models.index_settings import IndexSettings
from retrieval_vs_diffusion.models.vector_index import build_index

CLIP = "clustered vectors"
TIE = 1e-6  # of similarities in single precision
Found = tuple[np.ndarray, np.ndarray]


def same_found(ours: Found, theirs: Found, tie: float = TIE) -> tuple[bool, str]:
    """Whether two searches found the same, rows of equal similarity in any order; and in words.

    A row that only one of them has, or has elsewhere, counts as the same if the similarities at its place do.
    """
    off = float(np.abs(ours[0] - theirs[0]).max())
    other = ours[1] != theirs[1]
    said = f"similarities within {off:.0e}; {int(other.sum())} of {other.size} places hold another row, all ties"
    return off <= tie, said


@row("search", "faiss-one-query", at_least=10)
def one_query_after_the_other(folder: Path) -> Measured:
    """1,000 classes with a prompt each, against the index that ``auto`` takes for 20,000 images."""
    n, width, number, k = 20_000, 512, 1000, 50
    index = build_index(Embeddings(clustered(n, width, 1), CLIP), IndexSettings(use_gpu=False))
    queries = clustered(number, width, 2)
    found: dict[str, Found] = {}

    def ours() -> None:
        found["ours"] = index.search(queries, k)

    def theirs() -> None:
        answers = [index.faiss_index.search(queries[each : each + 1], k) for each in range(number)]
        found["theirs"] = np.concatenate([each[0] for each in answers]), np.concatenate([each[1] for each in answers])

    work = (
        f"{number} queries, {n:,} x {width}, k={k}, {index.described}; the peer: the same FAISS index, query by query"
    )
    measured = interleaved(ours, theirs, repeats=3, work=work)
    return measured.with_check(*same_found(found["ours"], found["theirs"]))


@row("search", "autofaiss", at_least=5, peer_environment="autofaiss")
def autofaiss(folder: Path) -> Measured:
    """Files of embeddings to the neighbours of all queries; the peer as it is called, and raised to recall 1.0."""
    n, width, number, k = 20_000, 128, 1000, 10
    vectors = clustered(n, width, 1)
    (folder / "img_emb").mkdir()
    files = [folder / "img_emb" / f"img_emb_{part}.npy" for part in range(4)]
    for file, part in zip(files, np.split(vectors, 4), strict=True):
        np.save(file, part)
    queries = clustered(number, width, 2)
    np.save(folder / "queries.npy", queries)
    found: dict[str, Found] = {}
    told: dict[str, Any] = {}

    def ours() -> None:
        index = build_index(embeddings_of_files(files, CLIP), IndexSettings(use_gpu=False))
        found["ours"] = index.search(queries, k)

    with PeerProcess("autofaiss", str(folder), str(k)) as peer:
        own_choice = peer.ask(index_key=None)
        own_rows = np.load(folder / "rows.npy")

        def theirs() -> float:
            told.update(peer.ask(index_key="Flat"))
            found["theirs"] = np.load(folder / "similarities.npy"), np.load(folder / "rows.npy")
            return float(told["seconds"])

        measured = interleaved(ours, theirs, repeats=3, work="")
    recall = float(np.mean([len(np.intersect1d(*pair)) / k for pair in zip(own_rows, found["ours"][1], strict=True)]))
    work = (
        f"{number} queries, {n:,} x {width} in 4 .npy files, k={k}, building included; the peer's own choice "
        f"{own_choice['index']} takes {own_choice['seconds']:.1f} s with recall {recall:.4f}; timed is build_index with "
        'index_key="Flat", whose recall is 1, and otherwise its defaults; all queries are searched at once'
    )
    return Measured(measured.ours, measured.theirs, work=work).with_check(*same_found(found["ours"], found["theirs"]))
