"""Classifiers are tested, added images measured, repetitions collected, strategies compared."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from retrieval_vs_diffusion.comparison import report
from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.evaluate import comparing, nodes, repeating
from retrieval_vs_diffusion.pipelines.evaluate.report_settings import report_settings
from retrieval_vs_diffusion.pipelines.index_build.pipeline import INDEX_CHECK
from retrieval_vs_diffusion.pipelines.steps import refused_output
from retrieval_vs_diffusion.strategies.class_table import ClassTable
from retrieval_vs_diffusion.strategies.composition import Strategy
from retrieval_vs_diffusion.study import Study
from retrieval_vs_diffusion.variants import LEAK_COMPARISON, SIZE_CURVE, leak_comparison

SCREENING_CHECK = "comparison.screening_check"
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
        made.append(predict_node(study, strategy, repetition))
        collected[f"predictions_{repetition}"] = f"{key}.predictions"
        collected[f"history_{repetition}"] = f"{key}.history"
        collected[f"training_record_{repetition}"] = f"{key}.training_record"
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
        collected |= refused_inputs(study, strategy)
    about = {
        "strategy": strategy.name,
        "arm": strategy.arm,
        "description": strategy.description,
        "steps": [step.kind for step in strategy.steps],
        # How batches are mixed is each row's to choose; anything else makes it another classifier.
        "own_recipe": sorted(strategy.classifier.model_fields_set - {"added_share"}),
    }
    collect = Node(
        bound(comparing.collect_results, about, [str(repetition) for repetition in study.repetitions]),
        inputs=collected,
        outputs=[f"{strategy.name}.results", f"{strategy.name}.examples", f"{strategy.name}.outcomes"],
        name="collect_results",
        namespace=strategy.name,
        tags=tags,
    )
    return [*made, collect]


def refused_inputs(study: Study, strategy: Strategy) -> dict[str, str]:
    """What each step refused in each draw, as ``refused_<draw's place>_<step>``.

    All draws, though examples are taken of the first alone: what no node takes would stand outside of its box.
    """
    return {
        f"refused_{place}_{position}": refused_output(strategy, position, draw)
        for place, draw in enumerate(study.draws("added_images"))
        for position in range(len(strategy.steps))
    }


def predict_node(study: Study, strategy: Strategy, repetition: int) -> Node:
    """The node that tests one classifier."""
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
        "near_duplicate_from": "params:near_duplicate_from",
        "compute": "params:compute",
    }
    names: dict[str, ClassTable] = {}
    if _has_judge(study):
        inputs["judge"] = "judge"
    else:  # CLIP is asked by the names that images are generated from; the judge knows the target's own
        names["class_table"] = study.class_table.only(("name",))
    if study.has_pool and any(
        step.kind == "generate" for step in strategy.steps
    ):  # what is generated may be copied from the pool
        inputs |= {"pool": "pool.images", "index": "pool.index"}
    return Node(
        bound(nodes.measure_set, draw, **names),
        inputs=inputs,
        outputs=f"{strategy.name}.{draw}.set_quality",
        name=f"measure_set_{draw}",
        namespace=strategy.name,
        tags=["evaluate", "gpu"],
    )


def _comparison_nodes(study: Study) -> list[Node]:
    order = list(study.strategies)
    results = {f"results_of_{name}": f"{name}.results" for name in order}
    outcomes = {f"outcomes_of_{name}": f"{name}.outcomes" for name in order}
    made = [
        _comparison_node(
            bound(comparing.compare, order),
            {
                "low_label_agreement": "params:low_label_agreement",
                "originals_per_class": "target.originals_per_class",
                "class_names": "target.classes",
                "size_curve": f"{SIZE_CURVE}.outcomes",
                **_yardstick_check(study),
                **results,
                **outcomes,
            },
            ["comparison.leaderboard", "comparison.comparisons", "comparison.size_curve", "comparison.summary"],
            "compare_strategies",
        ),
        _comparison_node(
            bound(comparing.tabulate, order),
            {"class_names": "target.classes", "price": "params:price", **results, **outcomes},
            ["comparison.sets", "comparison.ledger", "comparison.costs", "comparison.classes"],
            "tabulate",
        ),
        _comparison_node(
            bound(comparing.compare_leaks, leaky_rows(study)),
            {
                **{f"with_leaks_{name}": f"{LEAK_COMPARISON}.{name}.outcomes" for name in leaky_rows(study)},
                **{f"outcomes_of_{name}": f"{name}.outcomes" for name in leaky_rows(study)},
            },
            "comparison.leaks",
            "compare_leaks",
        ),
        _comparison_node(
            comparing.check_screening,
            {
                "protected": "screening.protected",
                "screening": "params:screening",
                **({"pool": "pool.images"} if study.has_pool else {}),
            },
            SCREENING_CHECK,
            "check_screening",
        ),
    ]
    made.append(
        _comparison_node(
            repeating.digest_results,
            # Sorted: another order of the strategies is the same digest.
            {"compute": "params:compute", "size_curve": f"{SIZE_CURVE}.outcomes", **dict(sorted(results.items()))},
            "comparison.results_digest",
            "digest_results",
        )
    )
    return [*made, _yardstick_node(study), _report_node(study, results, outcomes)]


def _yardstick_check(study: Study) -> dict[str, str]:
    """How often that is right by which label agreement is measured where true labels are not known."""
    name = "judge_check" if _has_judge(study) else "clip_check"
    return {name: f"comparison.{name}"}


def _yardstick_node(study: Study) -> Node:
    inputs = {"val": "target.val", "compute": "params:compute"}
    if _has_judge(study):
        return _comparison_node(
            nodes.check_judge, {"judge": "judge", **inputs}, "comparison.judge_check", "check_judge"
        )
    inputs |= {"clip": "clip", "embeddings": "target.val_embeddings", "class_names": "target.classes"}
    function = bound(nodes.check_clip, study.class_table.only(("name",)))
    return _comparison_node(function, inputs, "comparison.clip_check", "check_clip").tag("gpu")


def _has_judge(study: Study) -> bool:
    return study.parameters.judge.path is not None


def leaky_rows(study: Study) -> list[str]:
    """The rows that are trained a second time with leaks let through."""
    return [name for name in study.strategies if leak_comparison(study, name).strategies]


def _report_node(study: Study, results: dict[str, str], outcomes: dict[str, str]) -> Node:
    order = list(study.strategies)
    tables = ("leaderboard", "comparisons", "size_curve", "summary", "sets", "ledger", "costs", "classes", "leaks")
    inputs = {
        **{name: f"comparison.{name}" for name in (*tables, "screening_check", "results_digest")},
        "class_names": "target.classes",
        **({"index_check": INDEX_CHECK} if study.has_pool else {}),
        "added_images": "added_images.table",
        **({"judge_check": "comparison.judge_check"} if _has_judge(study) else {}),
        **results,
        **outcomes,
        **{f"examples_of_{name}": f"{name}.examples" for name in order},
    }
    function = bound(report.write_report, report.template(), report_settings(study), order)
    return _comparison_node(function, inputs, "comparison.report", "write_report")


def _comparison_node(function: Any, inputs: dict[str, str], outputs: str | list[str], name: str) -> Node:
    return Node(function, inputs=inputs, outputs=outputs, name=name, namespace=COMPARISON, tags="evaluate")
