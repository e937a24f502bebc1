"""Target and pool become image tables."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.parts import build_part
from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.data_ingest import nodes
from retrieval_vs_diffusion.study import READERS, Study


def create_pipeline(study: Study) -> Pipeline:
    """Read both, and fingerprint what no added image may copy."""
    target, pool = study.parameters.target, study.parameters.pool
    read = [
        Node(
            bound(nodes.read_target, build_part(READERS, target.reader, "target.reader")),
            inputs=None,
            outputs=["target.classes", "target.test", "target.val", "target.reservoir"],
            name="read_target",
        ),
        Node(
            bound(nodes.count_originals, target.per_class),
            inputs=["target.reservoir", "target.classes"],
            outputs="target.originals_per_class",
            name="count_originals",
        ),
        Node(
            nodes.fingerprint_protected,
            inputs=["target.val", "target.test"],
            outputs="screening.protected",
            name="fingerprint_protected_images",
        ),
    ]
    if study.has_pool:
        reader = build_part(READERS, pool.reader, "pool.reader")
        read.append(Node(bound(nodes.read_pool, reader), inputs=None, outputs="pool.images", name="read_pool"))
    return Pipeline(read, tags="data_ingest")
