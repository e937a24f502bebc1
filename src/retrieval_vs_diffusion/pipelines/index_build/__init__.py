"""Embedding the pool and indexing it; embedding the validation images."""

from retrieval_vs_diffusion.pipelines.index_build.pipeline import create_pipeline

__all__ = ["create_pipeline"]
