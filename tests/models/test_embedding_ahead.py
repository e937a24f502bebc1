"""Embedding on threads: the order of the images, their errors, and how far ahead."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from retrieval_vs_diffusion.images.codec import BrokenImageError
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.models.clip import Clip
from retrieval_vs_diffusion.models.embedding_ahead import EmbeddingAhead


@pytest.fixture
def images(pool) -> ImageTable:
    return pool.take(range(70))


@pytest.mark.parametrize("threads", [1, 3])
def test_the_order_is_that_of_the_table(clip, images, threads):
    with EmbeddingAhead(images, clip, 32, threads) as ahead:
        made = np.concatenate([ahead.vectors(start) for start in (0, 32, 64)])
    assert made == pytest.approx(clip.embed_images(images.pixels()), abs=1e-6)


def test_units_can_be_left_out(clip, images):
    with EmbeddingAhead(images, clip, 32, 3) as ahead:
        ahead.vectors(0)
        assert ahead.vectors(64) == pytest.approx(clip.embed_images(images.pixels()[64:]), abs=1e-6)


@pytest.mark.parametrize("threads", [1, 3])
def test_of_broken_images_the_first_is_told(clip, images, threads):
    rows = images.table.to_pylist()
    for place, size in ((20, 5), (40, 7)):  # bytes; the second is in a part that another thread decodes
        rows[place]["image"]["bytes"] = b"x" * size
    broken = ImageTable.from_rows(rows)
    with EmbeddingAhead(broken, clip, 70, threads) as ahead, pytest.raises(BrokenImageError, match=r"\(5 bytes\)"):
        ahead.vectors(0)


def test_one_unit_ahead_is_begun_and_no_more(clip, images, monkeypatch):
    encoded: list[int] = []
    encode = Clip.encode
    monkeypatch.setattr(Clip, "encode", lambda self, pixels: (encoded.append(len(pixels)), encode(self, pixels))[1])
    with EmbeddingAhead(images, clip, 20, 2) as ahead:
        ahead.vectors(0)
        assert sorted(ahead._begun) == [20]
        for part in ahead._begun[20]:
            part.result()
        assert sorted(encoded) == [4, 4, 16, 16]  # two units of 20 in parts of 16; not the third


def test_torchs_threads_are_as_before(clip, images):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with EmbeddingAhead(images, clip, 32, 2) as ahead:
            ahead.vectors(0)  # each of two threads has one of torch's three
        with ThreadPoolExecutor(1) as fresh:  # a thread that starts later takes over what was set last
            assert fresh.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)
