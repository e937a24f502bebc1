"""One strategy's training set and classifier, to take home."""

from retrieval_vs_diffusion.pipelines.export.pipeline import create_pipeline

__all__ = ["create_pipeline"]
