"""Images that are there already: found in the pool, or held back from the target."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from retrieval_vs_diffusion.pipelines.steps import step_nodes
from retrieval_vs_diffusion.study import Study


def create_pipeline(study: Study) -> Pipeline:
    """All steps that retrieve, and those that reuse the target's own images."""
    return Pipeline(step_nodes(study, ["retrieve", "reuse"], tag="retrieve"))
