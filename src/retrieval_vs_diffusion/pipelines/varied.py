"""The nodes that every comparison beside the table is made of: bring, train, test, collect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.pipelines import retrieve, synthesize, train
from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.evaluate.pipeline import predict_node
from retrieval_vs_diffusion.pipelines.joined import joined
from retrieval_vs_diffusion.study import Study


def variants_pipeline(varied: Study) -> Pipeline:
    """Images of all variants, their classifiers, and what these say of the test images."""
    made = [stage.create_pipeline(varied) for stage in (synthesize, retrieve, train)]
    tested = [
        predict_node(varied, strategy, repetition)
        for strategy in varied.strategies.values()
        for repetition in varied.repetitions
    ]
    return joined([*made, Pipeline(tested)])


def collecting_node(
    function: Callable[..., Any],
    varied: Study,
    variants: Sequence[str],
    output: str,
    namespace: str,
    more_inputs: dict[str, str] | None = None,
) -> Node:
    """The node that brings the variants together.

    Args:
        function: takes ``repetitions``, then artifacts as ``side_outcomes`` takes them.
        varied: the study of the variants.
        variants: names of those that are collected.
        output: dataset that it makes.
        namespace: box in which it stands.
        more_inputs: what else it takes.
    """
    repetitions = list(varied.repetitions)
    artifacts = {
        f"{what}_{position}_{repetition}": f"{variant}.repetition_{repetition}.{what}"
        for position, variant in enumerate(variants)
        for repetition in repetitions
        for what in ("predictions", "history", "training_record")
    }
    return Node(
        bound(function, repetitions=repetitions),
        inputs={**artifacts, **(more_inputs or {})},
        outputs=output,
        name="collect_outcomes",
        namespace=namespace,
        tags="evaluate",
    )
