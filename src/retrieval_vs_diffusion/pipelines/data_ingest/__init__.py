"""Reading target and pool."""

from retrieval_vs_diffusion.pipelines.data_ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
