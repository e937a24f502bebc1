"""A search over sharded embeddings finds the same to the bit whoever makes its units."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.executors.executor import executed_by
from retrieval_vs_diffusion.executors.ray_actor import TOKEN
from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.models import sharded_search
from retrieval_vs_diffusion.models.embeddings import embeddings_of_files
from retrieval_vs_diffusion.models.sharded_search import RowsSearch
from retrieval_vs_diffusion.models.vector_index import IndexSettings, VectorIndex, build_index
from retrieval_vs_diffusion.unfinished import kept_in
from tests.models.clustered import clustered

pytestmark = pytest.mark.ray
QUERIES = clustered(20, seed=0)


@pytest.fixture(autouse=True)
def units_of_130_rows(monkeypatch):
    monkeypatch.setattr(sharded_search, "UNIT_BYTES", 130 * 16 * 4)
    monkeypatch.setattr(sharded_search, "_TIMES_FOUND", 0)


@pytest.fixture
def index(tmp_path) -> VectorIndex:
    """Three files that hold the same vectors, so every similarity is there three times; 12 of each are broken."""
    vectors = clustered(300)
    vectors[::25] = [[np.nan], [np.inf], [0]] * 4
    files = [tmp_path / f"{number}.npy" for number in range(3)]
    for file in files:
        np.save(file, vectors)
    return build_index(embeddings_of_files(files, "toy_clip"), IndexSettings(factory="stream", use_gpu=False))


def same(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(mine.tobytes() == theirs.tobytes() for mine, theirs in zip(one, other, strict=True))


def test_one_machine_finds_what_this_process_finds(index, cluster, tmp_path):
    here = index.search(QUERIES, 300)
    rows = here[1]
    assert (np.diff(rows[:, :3]) == 300).all()  # of equals the first, in the order of the files
    assert not np.isin(rows % 300, range(0, 300, 25)).any()
    with executed_by(RayExecutor(RaySettings(most_actors=1), cluster.address, tmp_path / "scratch")):
        assert same(index.search(QUERIES, 300), here)
    assert not list((tmp_path / "scratch").iterdir())


def test_two_machines_find_it_and_a_run_that_goes_on_asks_nobody(index, cluster, second_machine, tmp_path):
    here = index.search(QUERIES, 900)
    assert (here[1][:, -36:] == -1).all()  # the broken ones
    step = tmp_path / "step" / "f"
    with executed_by(RayExecutor(RaySettings(most_actors=2), cluster.address)), kept_in(step):
        assert same(index.search(QUERIES, 900), here)
    (kept,) = (path for path in (step / "searched_0").iterdir() if path.name != TOKEN)
    assert kept.name.startswith("all.")  # what units found is gone
    with executed_by(RayExecutor(RaySettings(), "127.0.0.1:1")), kept_in(step):
        assert same(index.search(QUERIES, 900), here)


class DeadlySearch(RowsSearch):
    """A worker that makes it is killed once, when it has begun its fourth of seven units."""

    def _check_there(self, rows: range) -> None:
        if rows.start == 390 and not (mark := _MARK["file"]).exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def __reduce__(self):
        return _deadly, (self._embeddings, self._queries, self._k, _MARK["file"])


_MARK: dict[str, Path] = {}


def _deadly(embeddings, queries, k, mark):
    _MARK["file"] = mark
    return DeadlySearch(embeddings, queries, k, None)


def test_a_worker_is_killed_in_a_search(index, cluster, tmp_path, monkeypatch):
    here = index.search(QUERIES, 10)
    _MARK["file"] = tmp_path / "killed"
    monkeypatch.setattr(sharded_search, "RowsSearch", DeadlySearch)
    with executed_by(RayExecutor(RaySettings(most_actors=1), cluster.address)), kept_in(tmp_path / "step" / "f"):
        assert same(index.search(QUERIES, 10), here)
    assert _MARK["file"].exists()


def test_a_file_that_workers_do_not_see_is_told(index, cluster, tmp_path):
    (tmp_path / "1.npy").unlink()
    with (
        executed_by(RayExecutor(RaySettings(most_actors=1), cluster.address)),
        kept_in(tmp_path / "step" / "f"),
        pytest.raises(UserError, match=r"1\.npy: the machine .* does not see this file"),
    ):
        index.search(QUERIES, 10)
