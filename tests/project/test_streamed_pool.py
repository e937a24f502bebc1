"""A pool that is searched without an index, with the catalog of a run."""

from __future__ import annotations

import shutil

import numpy as np
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.models.index_settings import IndexSettings
from retrieval_vs_diffusion.models.vector_index import build_index


def test_a_run_searches_the_pools_embeddings_where_there_is_no_index(empty_project, tmp_path, monkeypatch):
    project = shutil.copytree(empty_project, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(project)
    bootstrap_project(project)
    with KedroSession.create(project, env="test") as session:
        catalog = session.load_context().catalog
    vectors = np.eye(3, 8, dtype=np.float32)
    catalog["pool.embeddings"].save(Embeddings(vectors, "toy_clip", 1.0))
    catalog["pool.index"].save(build_index(catalog["pool.embeddings"].load(), IndexSettings(factory="stream")))
    similarities, rows = catalog["pool.index"].load().search(vectors[2:], 1)
    assert (rows.tolist(), similarities.tolist()) == ([[2]], [[1.0]])  # a unit vector's nearest is itself
