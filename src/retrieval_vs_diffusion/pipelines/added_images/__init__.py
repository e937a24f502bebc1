"""Accuracy against how many images are added and how they are mixed in."""

from retrieval_vs_diffusion.pipelines.added_images.pipeline import create_pipeline

__all__ = ["create_pipeline"]
