"""The baseline at other numbers of real images."""

from retrieval_vs_diffusion.pipelines.size_curve.pipeline import create_pipeline

__all__ = ["create_pipeline"]
