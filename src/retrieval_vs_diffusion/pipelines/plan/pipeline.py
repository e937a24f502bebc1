"""What a study would cost: a survey, a pilot, and what follows. Nothing that a real run uses is read or written."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.parts import build_part
from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.plan import nodes
from retrieval_vs_diffusion.planning.asked import asked_of, recipes_of
from retrieval_vs_diffusion.study import READERS, Study
from retrieval_vs_diffusion.world_parts import told

_TABLES = ("val", "reservoir")


def create_pipeline(study: Study) -> Pipeline:
    """Three steps: what there is, what a few images take, what all of them will take."""
    return Pipeline([_survey(study), _pilot(study), _reckon(study)])


def _survey(study: Study) -> Node:
    parameters = study.parameters
    target = build_part(READERS, parameters.target.reader, "target.reader")
    pool = build_part(READERS, parameters.pool.reader, "pool.reader") if study.has_pool else None
    return Node(
        bound(nodes.survey, parameters.world, parameters.plan, target, pool),
        inputs=None,
        outputs=["plan.survey", *(f"plan.{name}" for name in _TABLES), *(["plan.pool"] if study.has_pool else [])],
        name="survey",
        namespace="plan",
        tags="plan",
    )


def _pilot(study: Study) -> Node:
    parameters = study.parameters
    strategies = {name: study.strategies[name] for name in study.chosen}
    named = {each.personalise for each in strategies.values()}
    settings = {
        "screening": parameters.screening.model_dump(mode="json"),
        "sampling": parameters.sampling.model_dump(mode="json"),
        "downloads": parameters.pool.downloads.model_dump(mode="json"),
        "index": parameters.pool.index.model_dump(mode="json"),
        "low_label_agreement": parameters.low_label_agreement,
        "near_duplicate_from": parameters.near_duplicate_from,
    }
    models = {
        "clip": "clip",
        **({"diffusion": "diffusion"} if parameters.diffusion.path is not None else {}),
        **({"judge": "judge"} if parameters.judge.path is not None else {}),
        **({"pool": "plan.pool", "takedown": "pool.takedown"} if study.has_pool else {}),
    }
    return Node(
        bound(
            nodes.pilot,
            parameters.world,
            parameters.plan,
            strategies,
            {name: part for name, part in study.personalisations.items() if name in named},
            recipes_of(study),
            study.class_table,
            parameters.target.per_class,
            max(study.added_per_original(each) if each.adds_images else 0.0 for each in strategies.values()),
            settings,
        ),
        inputs={
            "found": "plan.survey",
            **{name: f"plan.{name}" for name in _TABLES},
            "compute": "params:compute",
            **models,
        },
        outputs=["plan.pilot", "plan.classes"],
        name="pilot",
        namespace="plan",
        tags=["plan", "gpu"],
    )


def _reckon(study: Study) -> Node:
    return Node(
        bound(
            nodes.reckon,
            asked_of(study, told(study.left_out)),
            study.parameters.workers,
            study.parameters.compute.processes,
        ),
        inputs={"found": "plan.survey", "timed": "plan.pilot", "classes": "plan.classes"},
        outputs=["plan.table", "plan.summary"],
        name="reckon",
        namespace="plan",
        tags="plan",
    )
