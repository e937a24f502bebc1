"""No test machine has a GPU: an index on the CPU stands for the copy."""

import logging

import faiss
import numpy as np
import pytest

from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.models.gpu_search import MOST_NEIGHBOURS
from retrieval_vs_diffusion.models.index_settings import IndexSettings
from retrieval_vs_diffusion.models.vector_index import build_index

VECTORS = np.eye(8, dtype=np.float32)


class Copy:
    """Finds what the index finds, and counts how often it is asked."""

    def __init__(self, index):
        self.index, self.asked = index, 0

    def search(self, queries, k):
        self.asked += 1
        return self.index.search(queries, k)


@pytest.fixture
def gpu(monkeypatch):
    made = []

    def to_gpu(resources, device, index):
        made.append(Copy(index))
        return made[-1]

    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    monkeypatch.setattr(faiss, "index_cpu_to_gpu", to_gpu, raising=False)
    return made


def index(**settings):
    return build_index(Embeddings(VECTORS, "a clip"), IndexSettings(**settings))


def test_an_index_is_copied_once_and_searched_there(gpu, caplog):
    caplog.set_level(logging.INFO)
    searched = index()
    for _ in range(2):
        assert searched.search(VECTORS[2:3], 1)[1].tolist() == [[2]]
    assert [copy.asked for copy in gpu] == [2]
    assert caplog.text.count("searched on a GPU") == 1


def test_more_neighbours_than_a_gpu_selects_are_found_on_the_cpu(gpu):
    many = np.random.default_rng(0).normal(size=(MOST_NEIGHBOURS + 1, 4)).astype(np.float32)
    searched = build_index(Embeddings(many, "a clip"))
    assert searched.search(searched.vectors(np.arange(1)), MOST_NEIGHBOURS + 1)[1].shape == (1, MOST_NEIGHBOURS + 1)
    assert gpu == []


def test_who_wants_no_gpu_has_none(gpu):
    index(use_gpu=False).search(VECTORS[:1], 1)
    assert gpu == []


def test_a_gpu_that_fails_is_told_once_and_the_cpu_searches(monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("Error in void f() at /project/faiss/gpu.cu:12: Error: 'err' failed: out of memory")

    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    monkeypatch.setattr(faiss, "index_cpu_to_gpu", fail, raising=False)
    searched = index()
    for _ in range(2):
        assert searched.search(VECTORS[3:4], 1)[1].tolist() == [[3]]
    assert caplog.text.count("searched on the CPU; its GPU says: out of memory") == 1


def test_where_the_gpu_has_no_memory_for_a_search_the_cpu_goes_on(gpu, caplog):
    searched = index()
    assert searched.search(VECTORS[2:3], 1)[1].tolist() == [[2]]

    def full(*_):
        said = "'err == cudaSuccess' failed: StandardGpuResources: alloc fail (cudaMalloc error out of memory [2])"
        raise RuntimeError(f"Error in allocMemory at /faiss/gpu/StandardGpuResources.cpp:530: Error: {said}")

    gpu[0].search = full
    for _ in range(2):
        assert searched.search(VECTORS[3:4], 1)[1].tolist() == [[3]]
    assert caplog.text.count("is searched on the CPU from here on; its GPU says: StandardGpuResources: alloc fail") == 1


def test_another_failure_of_the_gpu_is_not_taken_for_a_lack_of_memory(gpu):
    searched = index()
    searched.search(VECTORS[2:3], 1)

    def broken(*_):
        raise RuntimeError("an illegal memory access was encountered")

    gpu[0].search = broken
    with pytest.raises(RuntimeError, match="illegal memory access"):
        searched.search(VECTORS[3:4], 1)
