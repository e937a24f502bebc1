"""Target and pool become image tables; each repetition draws its training images."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.parts import build_part
from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.data_ingest import nodes
from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.study import READERS, Study


def create_pipeline(study: Study) -> Pipeline:
    """Read once, then draw a subset for each draw of the target."""
    target, pool = study.parameters.target, study.parameters.pool
    read = [
        Node(
            bound(nodes.read_target, build_part(READERS, target.reader, "target.reader")),
            inputs=None,
            outputs=["target.classes", "target.reservoir", "target.val", "target.test"],
            name="read_target",
        ),
        Node(
            bound(nodes.read_pool, build_part(READERS, pool.reader, "pool.reader")),
            inputs=None,
            outputs="pool.images",
            name="read_pool",
        ),
        Node(
            nodes.fingerprint_protected,
            inputs=["target.val", "target.test"],
            outputs="screening.protected",
            name="fingerprint_protected_images",
        ),
    ]
    draws = [
        Node(
            bound(nodes.draw_target_subset, seed=derive_seed(study.parameters.world, "target subset", draw)),
            inputs=["target.reservoir", "target.classes", "params:target.train_per_class"],
            outputs=[f"target.{draw}.train", f"target.{draw}.held_back"],
            name=f"draw_target_subset_{draw}",
            namespace="target",
        )
        for draw in study.draws("target_subset")
    ]
    return Pipeline([*read, *draws], tags="data_ingest")
