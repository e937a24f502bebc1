"""One strategy's training set and classifier are written out: the stages up to training, then what is taken home."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.errors import UserError, did_you_mean
from retrieval_vs_diffusion.pipelines import data_ingest, index_build, retrieve, synthesize, train
from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.export import nodes
from retrieval_vs_diffusion.pipelines.joined import joined
from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.strategies.composition import Strategy
from retrieval_vs_diffusion.study import Study


def create_pipeline(study: Study) -> Pipeline:
    """All that one repetition of ``strategy`` needs, and its export; no test image is predicted.

    That no strategy is named, or a wrong one, is told when it runs: all other pipelines need not care.
    """
    try:
        strategy, repetition = _asked_for(study)
    except UserError as error:
        return Pipeline([Node(bound(nodes.refuse, str(error)), None, "export.none.readme", name="export")])
    stages = [stage.create_pipeline(study) for stage in (data_ingest, index_build, synthesize, retrieve, train)]
    export = Pipeline(_export_nodes(study, strategy, repetition))
    return joined([*stages, export]).to_outputs(*sorted(export.outputs()))


def _asked_for(study: Study) -> tuple[Strategy, int]:
    name, repetition = study.parameters.strategy, study.parameters.export.repetition
    if name is None:
        raise UserError(
            "strategy: say whose images and classifier to export, e.g. "
            f"`--params strategy={next(iter(study.strategies), 'NAME')}`; known are: {', '.join(study.strategies)}"
        )
    if name not in study.strategies:
        raise UserError(f'strategy: there is no strategy "{name}"; {did_you_mean(name, study.strategies)}')
    if repetition not in study.repetitions:
        last = study.repetitions[-1]
        raise UserError(f"export.repetition: found {repetition}; there are 0 to {last} (repetitions.number={last + 1})")
    return study.strategies[name], repetition


def _export_nodes(study: Study, strategy: Strategy, repetition: int) -> list[Node]:
    key = f"{strategy.name}.repetition_{repetition}"
    inputs = {
        "reservoir": "target.reservoir",
        "originals_per_class": "target.originals_per_class",
        "class_names": "target.classes",
    }
    if strategy.adds_images:
        inputs["added"] = f"{strategy.name}.{study.draw('added_images', repetition)}.added_images"
    seed = derive_seed(study.parameters.world, "export", strategy.name, repetition)
    gather = Node(
        bound(nodes.gather_training_set, study.subset_of(f"repetition_{repetition}"), seed),
        inputs=inputs,
        outputs=f"export.{strategy.name}.training_set",
        name="export_training_set",
        tags="export",
    )
    take = Node(
        nodes.take_classifier,
        inputs=f"{key}.classifier",
        outputs=f"export.{strategy.name}.classifier",
        name="export_classifier",
        tags="export",
    )
    about = {
        "strategy": strategy.name,
        "description": strategy.description,
        "world": study.parameters.world,
        "repetition": repetition,
        "mixing": _mixing(study, strategy),
    }
    describe = Node(
        bound(nodes.describe, about),
        inputs={
            "manifest": f"export.{strategy.name}.training_set",
            "classifier": f"export.{strategy.name}.classifier",
            "history": f"{key}.history",
        },
        outputs=f"export.{strategy.name}.readme",
        name="export_readme",
        tags="export",
    )
    return [gather, take, describe]


def _mixing(study: Study, strategy: Strategy) -> str:
    if not strategy.adds_images:
        return "The strategy adds no images."
    if strategy.mix == "union":
        return "Batches were drawn from all of them alike."
    share = study.parameters.classifier.overridden_by(strategy.classifier).added_share
    return f"In each batch {share * 100:g} % of the images were added ones."
