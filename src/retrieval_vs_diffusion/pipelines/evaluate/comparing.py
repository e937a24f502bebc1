"""Nodes that bring repetitions together and compare strategies.

They stand apart from those that use models: another table or figure makes no prediction again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_table import ImageTable


def check_screening(
    protected: pd.DataFrame, screening: dict[str, Any], pool: ImageTable | None = None
) -> dict[str, Any]:
    """Recall and false alarms of the leak screening, where the pool has planted leaks."""
    from retrieval_vs_diffusion.comparison.leaks import NOTHING_PLANTED, check_planted_leaks
    from retrieval_vs_diffusion.images.screening import Screening

    if pool is None:
        return dict(NOTHING_PLANTED)
    return check_planted_leaks(pool, protected, Screening.model_validate(screening))


def collect_results(
    about: dict[str, Any], repetitions: list[str], **artifacts: Any
) -> tuple[dict[str, Any], ImageTable, pd.DataFrame]:
    """Bring a strategy's repetitions together: its results, examples of its images, and what was predicted."""
    from retrieval_vs_diffusion.comparison.results import gather

    return gather(about, repetitions, artifacts)


def collect_outcomes(variants: list[str], repetitions: list[int], **artifacts: Any) -> pd.DataFrame:
    """What classifiers of a side comparison predicted, with how many images each was trained on."""
    from retrieval_vs_diffusion.comparison.side_outcomes import side_outcomes

    return side_outcomes(variants, repetitions, artifacts)


def collect_leaky_outcomes(
    variant: str, repetitions: list[int], protected: pd.DataFrame, screening: dict[str, Any], **artifacts: Any
) -> pd.DataFrame:
    """The same of a row whose screening let leaks through, with how many came in."""
    from retrieval_vs_diffusion.comparison.leaks import count_leaks
    from retrieval_vs_diffusion.comparison.side_outcomes import side_outcomes
    from retrieval_vs_diffusion.images.screening import Gate, Screening

    gate = Gate(Screening.model_validate(screening), protected)
    outcomes = side_outcomes([variant], repetitions, artifacts)
    let_in = {repetition: count_leaks(artifacts[f"images_{repetition}"], gate) for repetition in repetitions}
    return outcomes.assign(leaks_let_in=outcomes["repetition"].map(let_in))


def compare(
    order: list[str],
    low_label_agreement: float,
    originals_per_class: list[int],
    class_names: list[str],
    size_curve: pd.DataFrame | None = None,
    judge_check: dict[str, Any] | None = None,
    clip_check: dict[str, Any] | None = None,
    **rows: Any,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """The leaderboard of all strategies whose results hold, the comparisons, the size curve, and it all in words.

    The summary says more than ``reach_verdict`` does: the ``yardstick`` of label agreement with its accuracy on
    validation images, and in the sentence whether rows of one arm alone could be left out by it.
    """
    from retrieval_vs_diffusion.comparison.sentence import exclusion_sentence
    from retrieval_vs_diffusion.comparison.standing import beside_yardsticks, unjudged_arms
    from retrieval_vs_diffusion.comparison.verdict import reach_verdict

    yardstick = _yardstick(judge_check, clip_check)
    right_on_val = {yardstick["agreement_by"]: yardstick["top1_on_val"]} if yardstick else {}
    there = [name for name in order if rows.get(f"results_of_{name}") is not None]
    results = {name: beside_yardsticks(rows[f"results_of_{name}"], right_on_val) for name in there}
    outcomes = {name: rows[f"outcomes_of_{name}"] for name in there}
    mean = sum(originals_per_class) / len(originals_per_class)  # of classes that differ in size, a share each
    originals = int(mean) if mean.is_integer() else round(mean, 1)
    board, comparisons, curve, summary = reach_verdict(
        results, outcomes, size_curve, low_label_agreement, originals, len(class_names)
    )
    left_out = {str(results[name]["arm"]) for name in summary["low_label_agreement"]}
    one_sided = exclusion_sentence(summary["best"], left_out, unjudged_arms(results.values()))
    sentence = f"{summary['sentence']} {one_sided}" if one_sided else summary["sentence"]
    return board, comparisons, curve, {**summary, "sentence": sentence, "yardstick": yardstick}


def _yardstick(judge_check: dict[str, Any] | None, clip_check: dict[str, Any] | None) -> dict[str, Any] | None:
    """What label agreement is measured by where true labels are not known, and how often that is right."""
    for name, check, figure in (
        ("judge", judge_check, "judge_top1_on_val"),
        ("clip_zero_shot", clip_check, "clip_top1_on_val"),
    ):
        if check is not None:
            return {"agreement_by": name, "top1_on_val": check[figure], "images": check["images"]}
    return None


def tabulate(
    order: list[str], class_names: list[str], price: dict[str, Any], **rows: Any
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Tables of the added images, of their ledger, of costs, and of every class."""
    from retrieval_vs_diffusion.comparison.costs import costs
    from retrieval_vs_diffusion.comparison.ledger import ledger
    from retrieval_vs_diffusion.comparison.outcomes import Outcomes
    from retrieval_vs_diffusion.comparison.per_class import per_class
    from retrieval_vs_diffusion.comparison.price import Price
    from retrieval_vs_diffusion.comparison.sets import sets

    there = [name for name in order if rows.get(f"results_of_{name}") is not None]
    results = [rows[f"results_of_{name}"] for name in there]
    outcomes = {name: Outcomes.from_table(rows[f"outcomes_of_{name}"]) for name in there}
    return (
        sets(results),
        ledger(results),
        costs(results, Price.model_validate(price)),
        per_class(outcomes, class_names),
    )


def compare_leaks(order: list[str], **rows: Any) -> pd.DataFrame:
    """Accuracy with and without the near-duplicates of test images that the screening refuses."""
    from retrieval_vs_diffusion.comparison.leaks import leak_table

    with_leaks = {name: rows[f"with_leaks_{name}"] for name in order if rows.get(f"with_leaks_{name}") is not None}
    return leak_table(with_leaks, {name: rows.get(f"outcomes_of_{name}") for name in with_leaks})
