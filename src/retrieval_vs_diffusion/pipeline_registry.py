"""The project's pipelines by name: the six stages, ``pretrain``, ``tune``, and each strategy with all it needs."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from retrieval_vs_diffusion.pipelines import (
    data_ingest,
    evaluate,
    index_build,
    pretrain,
    retrieve,
    synthesize,
    train,
    tune,
)
from retrieval_vs_diffusion.pipelines.evaluate.pipeline import COMPARISON
from retrieval_vs_diffusion.study import Study
from retrieval_vs_diffusion.world import current_study

STAGES = {
    "data_ingest": data_ingest,
    "index_build": index_build,
    "synthesize": synthesize,
    "retrieve": retrieve,
    "train": train,
    "evaluate": evaluate,
}


def register_pipelines() -> dict[str, Pipeline]:
    """All pipelines of the current world.

    ``only`` leaves strategies out of ``__default__`` and of the stages; each strategy's own pipeline is
    there all the same. ``pretrain`` is there in worlds that train their own models, ``tune`` always;
    neither is part of a plain run.
    """
    study = current_study()
    everything = whole_study(study)
    chosen = sum((_strategy_pipeline(everything, name) for name in study.chosen), Pipeline([]))
    pipelines = {"__default__": chosen}
    pipelines |= {name: stage.create_pipeline(study) & chosen for name, stage in STAGES.items()}
    pipelines |= {name: _strategy_pipeline(everything, name) for name in study.strategies}
    if study.parameters.pretraining is not None:
        pipelines["pretrain"] = pretrain.create_pipeline(study)
    return {**pipelines, "tune": tune.create_pipeline(study)}


def whole_study(study: Study) -> Pipeline:
    """All stages with all strategies."""
    return sum((stage.create_pipeline(study) for stage in STAGES.values()), Pipeline([]))


def _strategy_pipeline(everything: Pipeline, name: str) -> Pipeline:
    """One strategy with all that it needs, then the comparison with whatever other rows hold."""
    comparison = [node for node in everything.nodes if node.namespace == COMPARISON]
    return everything.to_outputs(f"{name}.results") + Pipeline(comparison)
