"""Training the classifier for each strategy and repetition."""

from retrieval_vs_diffusion.pipelines.train.pipeline import create_pipeline

__all__ = ["create_pipeline"]
