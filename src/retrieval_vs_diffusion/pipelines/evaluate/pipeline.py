"""Classifiers are tested, added images measured, repetitions collected, strategies compared."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.comparison import report
from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.evaluate import nodes
from retrieval_vs_diffusion.strategies.composition import Strategy
from retrieval_vs_diffusion.study import Study

COMPARISON = "comparison"  # the box that stands after those of the strategies


def create_pipeline(study: Study) -> Pipeline:
    """Nodes of each strategy's box, then those that stand after all boxes."""
    boxes = [node for strategy in study.strategies.values() for node in _strategy_nodes(study, strategy)]
    return Pipeline([*boxes, *_comparison_nodes(study)])


def _strategy_nodes(study: Study, strategy: Strategy) -> list[Node]:
    tags = ["evaluate"]
    collected = {}
    made = []
    for repetition in study.repetitions:
        key = f"{strategy.name}.repetition_{repetition}"
        made.append(_predict_node(study, strategy, repetition))
        collected[f"predictions_{repetition}"] = f"{key}.predictions"
        collected[f"history_{repetition}"] = f"{key}.history"
        if strategy.adds_images:
            draw = study.draw("added_images", repetition)
            collected[f"images_{repetition}"] = f"{strategy.name}.{draw}.added_images"
            collected[f"quality_{repetition}"] = f"{strategy.name}.{draw}.set_quality"
    if strategy.personalise:
        collected["learned"] = f"personalise.{strategy.personalise}.collection"
    if not strategy.adds_images:
        collected["originals"] = "target.reservoir"
    else:
        made += [_measure_node(study, strategy, draw) for draw in study.draws("added_images")]
    about = {
        "strategy": strategy.name,
        "arm": strategy.arm,
        "description": strategy.description,
        # How batches are mixed is each row's to choose; anything else makes it another classifier.
        "own_recipe": sorted(strategy.classifier.model_fields_set - {"added_share"}),
    }
    collect = Node(
        bound(nodes.collect_results, about, [str(repetition) for repetition in study.repetitions]),
        inputs=collected,
        outputs=[f"{strategy.name}.results", f"{strategy.name}.examples"],
        name="collect_results",
        namespace=strategy.name,
        tags=tags,
    )
    return [*made, collect]


def _predict_node(study: Study, strategy: Strategy, repetition: int) -> Node:
    key = f"{strategy.name}.repetition_{repetition}"
    inputs = {"classifier": f"{key}.classifier", "test": "target.test", "compute": "params:compute"}
    reads_embeddings = study.parameters.classifier.overridden_by(strategy.classifier).features == "clip"
    if reads_embeddings:
        inputs["clip"] = "clip"
    return Node(
        nodes.predict_test,
        inputs=inputs,
        outputs=f"{key}.predictions",
        name=f"predict_test_repetition_{repetition}",
        namespace=strategy.name,
        tags=["evaluate", *(["gpu"] if reads_embeddings else [])],
    )


def _measure_node(study: Study, strategy: Strategy, draw: str) -> Node:
    inputs = {
        "added": f"{strategy.name}.{draw}.added_images",
        "class_names": "target.classes",
        "clip": "clip",
        "val": "target.val_embeddings",
        "near_duplicate_from": "params:screening.leak_similarity",
        "compute": "params:compute",
    }
    if study.parameters.has_judge:
        inputs["judge"] = "judge"
    if any(step.kind == "generate" for step in strategy.steps):  # what is generated may be copied from the pool
        inputs |= {"pool": "pool.images", "index": "pool.index"}
    return Node(
        bound(nodes.measure_set, draw),
        inputs=inputs,
        outputs=f"{strategy.name}.{draw}.set_quality",
        name=f"measure_set_{draw}",
        namespace=strategy.name,
        tags=["evaluate", "gpu"],
    )


def _comparison_nodes(study: Study) -> list[Node]:
    order = list(study.strategies)
    judged = []
    checked = {}
    if study.parameters.has_judge:
        judged.append(
            Node(
                nodes.check_judge,
                inputs=["judge", "target.val", "params:compute"],
                outputs="comparison.judge_check",
                name="check_judge",
                namespace=COMPARISON,
                tags="evaluate",
            )
        )
        checked["judge_check"] = "comparison.judge_check"
    compare = Node(
        bound(nodes.compare, order),
        inputs={"low_label_agreement": "params:low_label_agreement", **{name: f"{name}.results" for name in order}},
        outputs=["comparison.leaderboard", "comparison.summary", "comparison.sets"],
        name="compare_strategies",
        namespace=COMPARISON,
        tags="evaluate",
    )
    write = Node(
        bound(report.write_report, report.template(), study.parameters.world, order),
        inputs={
            "leaderboard": "comparison.leaderboard",
            "summary": "comparison.summary",
            "sets": "comparison.sets",
            "class_names": "target.classes",
            **checked,
            **{f"results_of_{name}": f"{name}.results" for name in order},
            **{f"examples_of_{name}": f"{name}.examples" for name in order},
        },
        outputs="comparison.report",
        name="write_report",
        namespace=COMPARISON,
        tags="evaluate",
    )
    return [*judged, compare, write]
