"""The pool becomes searchable: images to embeddings to index."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.pipelines.index_build import nodes
from retrieval_vs_diffusion.study import Study


def create_pipeline(study: Study) -> Pipeline:
    """Embed, then index."""
    del study  # the same in every world
    return Pipeline(
        [
            Node(
                nodes.embed_pool,
                inputs=["pool.images", "clip", "params:compute"],
                outputs="pool.embeddings",
                name="embed_pool",
                tags="gpu",
            ),
            Node(nodes.build_index, inputs="pool.embeddings", outputs="pool.index", name="build_index"),
        ],
        tags="index_build",
    )
