"""A search in units of rows, made here; tests/executors has them made elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.executors.executor import LocalExecutor
from retrieval_vs_diffusion.executors.units import Unit
from retrieval_vs_diffusion.models import sharded_search
from retrieval_vs_diffusion.models.embeddings import Embeddings, embeddings_of_files
from retrieval_vs_diffusion.models.running_best import RunningBest
from retrieval_vs_diffusion.models.sharded_search import RowsSearch, unit_ranges
from retrieval_vs_diffusion.models.streamed_search import streamed_search
from retrieval_vs_diffusion.unfinished import Section
from tests.models.clustered import clustered, embeddings_of

QUERIES = clustered(30, seed=0)


@pytest.fixture
def files(tmp_path):
    """700 vectors of half precision in four files, the second without any."""
    parts = np.split(clustered(700).astype(np.float16), [250, 250, 420])
    names = [tmp_path / f"{number}.npy" for number in range(4)]
    for name, part in zip(names, parts, strict=True):
        np.save(name, part)
    return names


def in_units(embeddings: Embeddings, k: int, size: int, kept: Section) -> RunningBest:
    starts = range(0, len(embeddings), size)
    ranges = [range(start, min(start + size, len(embeddings))) for start in starts]
    units = [Unit(number, str(rows), rows) for number, rows in enumerate(ranges)]
    best = RunningBest(len(QUERIES), k)
    for keys in LocalExecutor().run(RowsSearch(embeddings, QUERIES, k, None), units, kept, "searching"):
        best.add_keys(keys)
    return best


@pytest.mark.parametrize("k", [1, 50, 700])
@pytest.mark.parametrize("size", [99, 1000])
def test_units_find_together_what_one_pass_finds_and_so_does_what_they_kept(files, k, size, tmp_path):
    embeddings = embeddings_of_files(files, "toy_clip")
    expected = streamed_search(embeddings, QUERIES, k)
    kept = Section(tmp_path / "units")
    for _ in ("made", "read"):
        for one, other in zip(in_units(embeddings, k, size, kept).sorted(), expected, strict=True):
            assert np.array_equal(one, other)


def test_a_unit_is_large_enough_for_what_it_finds_and_there_are_not_too_many(monkeypatch):
    embeddings = embeddings_of(clustered(700))  # of 16 numbers of 4 bytes: 64 bytes a vector
    assert unit_ranges(embeddings, 1, 1) == [range(700)]
    monkeypatch.setattr(sharded_search, "UNIT_BYTES", 6400)
    assert unit_ranges(embeddings, 1, 1) == [range(start, start + 100) for start in range(0, 700, 100)]
    # 2 queries x 120 keys x 8 bytes x 10 = 19,200 bytes: 300 vectors
    assert unit_ranges(embeddings, 2, 120) == [range(300), range(300, 600), range(600, 700)]
    monkeypatch.setattr(sharded_search, "_MOST_UNITS", 2)
    assert unit_ranges(embeddings, 1, 1) == [range(350), range(350, 700)]


def test_rows_lie_in_the_files_that_hold_them(files):
    vectors = embeddings_of_files(files, "toy_clip").vectors
    assert vectors.itemsize == 2
    assert vectors.files_of(range(249, 251)) == [files[0], files[2]]
    assert vectors.files_of(range(250)) == files[:1]
    assert vectors.files_of(range(420, 700)) == files[3:]


def test_a_file_that_is_not_there_is_told_with_the_machine_that_does_not_see_it(files, tmp_path):
    embeddings = embeddings_of_files(files, "toy_clip")
    files[2].unlink()
    with pytest.raises(UserError, match=r"2\.npy: the machine .* does not see this file; .* all machines"):
        in_units(embeddings, 1, 100, Section(None))
