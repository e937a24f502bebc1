"""Accuracy against the number of real images: what every row's worth is read from."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.evaluate import comparing
from retrieval_vs_diffusion.pipelines.varied import collecting_node, variants_pipeline
from retrieval_vs_diffusion.study import Study
from retrieval_vs_diffusion.variants import SIZE_CURVE, size_curve


def create_pipeline(study: Study) -> Pipeline:
    """The baseline trained and tested at every size of the curve; empty where no size is asked for."""
    varied = size_curve(study)
    sizes = list(varied.strategies)
    if not sizes:
        return Pipeline([])
    collect = collecting_node(
        bound(comparing.collect_outcomes, sizes), varied, sizes, f"{SIZE_CURVE}.outcomes", SIZE_CURVE
    )
    return variants_pipeline(varied) + Pipeline([collect])
