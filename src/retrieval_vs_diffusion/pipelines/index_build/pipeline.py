"""The pool becomes searchable: images to embeddings to index. Validation images are embedded beside it."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.pipelines.index_build import nodes
from retrieval_vs_diffusion.study import Study


def create_pipeline(study: Study) -> Pipeline:
    """Embed the pool, then index; embed the validation images, which added images are compared with."""
    del study  # the same in every world
    return Pipeline(
        [
            Node(
                nodes.embed,
                inputs=["pool.images", "clip", "params:compute"],
                outputs="pool.embeddings",
                name="embed_pool",
                tags="gpu",
            ),
            Node(
                nodes.embed,
                inputs=["target.val", "clip", "params:compute"],
                outputs="target.val_embeddings",
                name="embed_val",
                tags="gpu",
            ),
            Node(nodes.build_index, inputs="pool.embeddings", outputs="pool.index", name="build_index"),
        ],
        tags="index_build",
    )
