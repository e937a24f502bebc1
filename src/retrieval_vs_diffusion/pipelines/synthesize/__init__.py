"""Images made by the diffusion model."""

from retrieval_vs_diffusion.pipelines.synthesize.pipeline import create_pipeline

__all__ = ["create_pipeline"]
