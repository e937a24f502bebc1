"""The pool becomes searchable: images to embeddings to index. Validation images are embedded beside it."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.execution.digest import digest_of_collection
from retrieval_vs_diffusion.models.index_settings import IndexSettings
from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.index_build import nodes
from retrieval_vs_diffusion.remote.remote_path import as_path
from retrieval_vs_diffusion.study import Study

INDEX_CHECK = "pool.index_check"


def create_pipeline(study: Study) -> Pipeline:
    """Embed the pool, then index; embed the validation images, which added images are compared with."""
    made = [
        Node(
            nodes.embed,
            inputs=["target.val", "clip", "params:compute"],
            outputs="target.val_embeddings",
            name="embed_val",
            tags="gpu",
        )
    ]
    return Pipeline([*made, *(_pool_nodes(study.parameters.pool.index) if study.has_pool else [])], tags="index_build")


def _pool_nodes(settings: IndexSettings) -> list[Node]:
    index_digest = digest_of_collection([as_path(settings.path)]) if settings.path else None
    return [
        Node(
            nodes.embed,
            inputs=["pool.images", "clip", "params:compute"],
            outputs="pool.embeddings",
            name="embed_pool",
            tags="gpu",
        ),
        Node(
            bound(nodes.build_index, index_digest),
            inputs=["pool.embeddings", "pool.images", "params:pool.index"],
            outputs="pool.index",
            name="build_index",
        ),
        Node(
            nodes.check_index,
            inputs={
                "index": "pool.index",
                "embeddings": "pool.embeddings",
                "clip": "clip",
                "class_names": "target.classes",
                "val": "target.val_embeddings",
                "settings": "params:pool.index",
                "compute": "params:compute",
            },
            outputs=INDEX_CHECK,
            name="check_index",
            tags="gpu",
        ),
    ]
