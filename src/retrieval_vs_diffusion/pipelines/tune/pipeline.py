"""Settings are tried on validation: the same stages with a strategy for each trial, and no test image."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.pipelines import data_ingest, index_build, retrieve, synthesize, train
from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.joined import joined
from retrieval_vs_diffusion.pipelines.tune import nodes
from retrieval_vs_diffusion.study import Study
from retrieval_vs_diffusion.trials import trials_of


def create_pipeline(study: Study) -> Pipeline:
    """Everything up to training for every trial, then the table of trials.

    What does not fit, or that there is nothing to try, is told when it runs: all other pipelines need not care.
    """
    try:
        tried, trials = trials_of(study)
    except UserError as error:
        return Pipeline([Node(bound(nodes.refuse, str(error)), None, "tuning.trials", name="weigh_trials")])
    stages = [stage.create_pipeline(tried) for stage in (data_ingest, index_build, synthesize, retrieve, train)]
    listed = [{"strategy": each.strategy, "name": each.name, "settings": dict(each.settings)} for each in trials]
    repetitions = list(tried.repetitions)
    weigh = Node(
        bound(nodes.weigh_trials, listed, repetitions),
        inputs={
            f"{trial.name}_{repetition}": f"{trial.name}.repetition_{repetition}.history"
            for trial in trials
            for repetition in repetitions
        },
        outputs=["tuning.trials", "tuning.chosen"],
        name="weigh_trials",
        tags="tune",
    )
    return joined([*stages, Pipeline([weigh])]).to_outputs("tuning.trials", "tuning.chosen")
