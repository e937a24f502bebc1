"""The project's pipelines by name: the six stages, each strategy with all it needs, and what is run on demand."""

from __future__ import annotations

from collections.abc import Iterable

from kedro.pipeline import Pipeline

from retrieval_vs_diffusion.pipelines import (
    added_images,
    data_ingest,
    evaluate,
    export,
    index_build,
    leak_comparison,
    plan,
    pretrain,
    retrieve,
    size_curve,
    synthesize,
    train,
    tune,
)
from retrieval_vs_diffusion.pipelines.evaluate.pipeline import COMPARISON, SCREENING_CHECK
from retrieval_vs_diffusion.pipelines.index_build.pipeline import INDEX_CHECK
from retrieval_vs_diffusion.pipelines.joined import joined
from retrieval_vs_diffusion.study import Study
from retrieval_vs_diffusion.variants import LEAK_COMPARISON, SIZE_CURVE
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
    there all the same. ``pretrain`` is there in worlds that train their own models, ``tune``, ``added_images``,
    ``export`` and ``plan`` always; none of them is part of a plain run.
    """
    study = current_study()
    everything = whole_study(study)
    rows = {name: _strategy_pipeline(everything, name) for name in study.strategies}
    chosen = joined([*(rows[name] for name in study.chosen), _aside(everything, study.chosen)])
    pipelines = {"__default__": chosen, **{name: chosen.only_nodes_with_tags(name) for name in STAGES}, **rows}
    pipelines |= {SIZE_CURVE: _aside(everything, []), LEAK_COMPARISON: _aside(everything, study.strategies)}
    if study.parameters.pretraining is not None and study.has_pool:
        pipelines["pretrain"] = pretrain.create_pipeline(study)
    on_demand = {"tune": tune, "added_images": added_images, "export": export, "plan": plan}
    return pipelines | {name: module.create_pipeline(study) for name, module in on_demand.items()}


_whole: tuple[Study, Pipeline] | None = None  # what was built last, and of which study


def whole_study(study: Study) -> Pipeline:
    """All stages with all strategies, and what is compared beside the table.

    Built once for a study: the registry asks for it, and then the runner.
    """
    global _whole
    if _whole is None or _whole[0] is not study:
        parts = (*STAGES.values(), size_curve, leak_comparison)
        _whole = study, joined(part.create_pipeline(study) for part in parts)
    return _whole[1]


def _strategy_pipeline(everything: Pipeline, name: str) -> Pipeline:
    """One strategy with all that it needs, then the comparison with whatever other rows hold."""
    made = everything.to_outputs(f"{name}.results")
    # A row that takes nothing of the pool does not have it read to see what the screening would find there.
    unread = {SCREENING_CHECK} if "pool.images" not in made.all_outputs() else set()
    compared = [node for node in everything.nodes if node.namespace == COMPARISON and not unread & set(node.outputs)]
    row = made + Pipeline(compared)
    # An index that is searched is also checked; no row waits for that, and the report shows it where it is there.
    return row + everything.to_outputs(INDEX_CHECK) if "pool.index" in row.all_outputs() else row


def _aside(everything: Pipeline, rows: Iterable[str]) -> Pipeline:
    """The size curve, and the given rows with leaks let through: what a plain run makes beside the rows."""
    wanted = {f"{SIZE_CURVE}.outcomes", *(f"{LEAK_COMPARISON}.{name}.outcomes" for name in rows)}
    made = wanted & everything.all_outputs()
    return everything.to_outputs(*made) if made else Pipeline([])
