"""Testing, comparing, reporting."""

from retrieval_vs_diffusion.pipelines.evaluate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
