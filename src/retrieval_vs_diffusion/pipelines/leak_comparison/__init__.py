"""Rows with copies of test images let through, to see what contamination would have bought."""

from retrieval_vs_diffusion.pipelines.leak_comparison.pipeline import create_pipeline

__all__ = ["create_pipeline"]
