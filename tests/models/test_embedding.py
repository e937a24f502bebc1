"""Embedding a table: each batch is embedded once, whatever happens between."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval_vs_diffusion.models import embedding
from retrieval_vs_diffusion.models.clip import Clip
from retrieval_vs_diffusion.models.embedding import embed_table
from retrieval_vs_diffusion.unfinished import kept_in


@pytest.fixture
def embedded(monkeypatch) -> list[int]:
    """Sizes of the batches that CLIP embeds; two images each."""
    sizes: list[int] = []
    monkeypatch.setattr(embedding, "_AT_ONCE", 2)
    encode = Clip.encode
    monkeypatch.setattr(Clip, "encode", lambda self, pixels: (sizes.append(len(pixels)), encode(self, pixels))[1])
    return sizes


def test_a_killed_run_goes_on_after_the_last_whole_batch(clip, pool, tmp_path, embedded):
    images = pool.take(range(7))
    whole = np.concatenate(list(embed_table(images, clip)))
    assert embedded == [2, 2, 2, 1]
    embedded.clear()
    with kept_in(tmp_path / "step" / "f"):
        batches = iter(embed_table(images, clip))
        next(batches), next(batches)
        batches.close()  # as a kill would
    with kept_in(tmp_path / "step" / "f"):
        stream = embed_table(images, clip)
        assert stream.seconds > 0  # those of the batch before the last one that was kept
        assert np.array_equal(np.concatenate(list(stream)), whole)
    assert embedded == [2, 2, 2, 1]


def test_another_models_batches_are_not_taken(clip, pool, tmp_path, embedded, monkeypatch):
    for name in ("one", "other"):
        monkeypatch.setattr(clip, "name", name)
        with kept_in(tmp_path / "step" / "f"):
            list(embed_table(pool.take(range(3)), clip))
    assert embedded == [2, 1, 2, 1]
