"""Training a world's own CLIP, diffusion model and judge."""

from retrieval_vs_diffusion.pipelines.pretrain.pipeline import create_pipeline

__all__ = ["create_pipeline"]
