"""What contamination would have bought: rows trained a second time, with copies of test images let through."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.evaluate import comparing
from retrieval_vs_diffusion.pipelines.evaluate.pipeline import leaky_rows, refused_inputs
from retrieval_vs_diffusion.pipelines.joined import joined
from retrieval_vs_diffusion.pipelines.varied import collecting_node, variants_pipeline
from retrieval_vs_diffusion.study import Study
from retrieval_vs_diffusion.variants import leak_comparison


def create_pipeline(study: Study) -> Pipeline:
    """Every row of the arms that are asked for."""
    return joined(of_row(study, name) for name in leaky_rows(study))


def of_row(study: Study, name: str) -> Pipeline:
    """One row with leaks let through."""
    varied = leak_comparison(study, name)
    (variant,) = varied.strategies
    images = {
        f"images_{repetition}": f"{variant}.{varied.draw('added_images', repetition)}.added_images"
        for repetition in varied.repetitions
    }
    collect = collecting_node(
        bound(comparing.collect_leaky_outcomes, variant),
        varied,
        [variant],
        f"{variant}.outcomes",
        variant,
        {
            "protected": "screening.protected",
            "screening": "params:screening",
            **images,
            **refused_inputs(varied, varied.strategies[variant]),  # or they would stand outside of the box
        },
    )
    return variants_pipeline(varied) + Pipeline([collect])
