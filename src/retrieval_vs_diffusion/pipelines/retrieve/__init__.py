"""Images taken from the pool or the target."""

from retrieval_vs_diffusion.pipelines.retrieve.pipeline import create_pipeline

__all__ = ["create_pipeline"]
