"""Embedding the pool and indexing it."""

from retrieval_vs_diffusion.pipelines.index_build.pipeline import create_pipeline

__all__ = ["create_pipeline"]
