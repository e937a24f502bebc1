"""Embeddings are the same bytes whoever makes them."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval_vs_diffusion.executors.executor import executed_by
from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.models import embedding
from retrieval_vs_diffusion.models.embedding import embed_table
from retrieval_vs_diffusion.unfinished import kept_in

pytestmark = pytest.mark.ray


@pytest.fixture(autouse=True)
def units_of_four(monkeypatch):
    monkeypatch.setattr(embedding, "_AT_ONCE", 4)


def test_one_machine_makes_what_this_process_makes(clip, pool, tmp_path, cluster):
    images = pool.take(range(30))  # 8 units
    whole = np.concatenate(list(embed_table(images, clip)))
    with executed_by(RayExecutor(RaySettings(), cluster.address)), kept_in(tmp_path / "step" / "f"):
        stream = embed_table(images, clip)
        assert np.array_equal(np.concatenate(list(stream)), whole)
    assert 0 < stream.seconds < 5  # of the actors' work, not of their start


def test_two_machines_make_what_this_process_makes(clip, pool, tmp_path, cluster, second_machine):
    images = pool.take(range(30))
    whole = np.concatenate(list(embed_table(images, clip)))
    with executed_by(RayExecutor(RaySettings(), cluster.address, tmp_path)):  # and where nothing is kept
        assert np.array_equal(np.concatenate(list(embed_table(images, clip))), whole)
    assert not list(tmp_path.iterdir())
