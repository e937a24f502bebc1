"""Trying settings on validation."""

from retrieval_vs_diffusion.pipelines.tune.pipeline import create_pipeline

__all__ = ["create_pipeline"]
