"""What a study would cost, before anything is spent."""

from retrieval_vs_diffusion.pipelines.plan.pipeline import create_pipeline

__all__ = ["create_pipeline"]
