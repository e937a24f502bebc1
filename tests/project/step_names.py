"""The steps of a plain run in the test world, in the words of the table of changes."""

from __future__ import annotations

from tests.project.conftest import PLAIN

# The step with which each row brings its images.
BRINGS = {
    "more_real": "reuse",
    "simple_prompt": "generate",
    "boomerang": "generate",
    "textual_inversion": "generate",
    "retrieval_text": "retrieve",
}
ADDING = tuple(BRINGS)
GENERATING = tuple(name for name, step in BRINGS.items() if step == "generate")

VERDICT = {"comparison.compare_strategies", "comparison.digest_results", "comparison.write_report"}
COMPARISON = {*VERDICT, "comparison.tabulate"}  # what is made of the rows' results
REPORT = {"comparison.write_report"}
LEAKS = {"comparison.compare_leaks"}
# Beside the rows: the baseline at twice and three times the images, and retrieval with leaks let through.
SIZES = ("size_curve.times_2", "size_curve.times_3")
LEAKY = "leak_comparison.retrieval_text"
READING = {"read_target", "count_originals", "read_pool", "fingerprint_protected_images"}
SEARCHING = {"embed_pool", "build_index", "check_index"}


def each_repetition(name: str, *steps: str, repetitions: tuple[int, ...] = (0, 1)) -> set[str]:
    return {f"{name}.{step}_repetition_{repetition}" for step in steps for repetition in repetitions}


def row(*strategies: str) -> set[str]:
    """Strategies from their images on: brought, measured, trained on, tested, collected."""
    brought = {name: each_repetition(name, BRINGS[name]) for name in strategies}
    return set().union(*brought.values(), measured(*strategies), trained(*strategies))


def measured(*strategies: str) -> set[str]:
    return set().union(*(each_repetition(name, "measure_set") | {f"{name}.collect_results"} for name in strategies))


def trained(*strategies: str) -> set[str]:
    collected = {f"{name}.collect_results" for name in strategies}
    return collected.union(*(each_repetition(name, "train", "predict_test") for name in strategies))


def tested(*strategies: str) -> set[str]:
    return set().union(*(each_repetition(name, "predict_test") | {f"{name}.collect_results"} for name in strategies))


def sizes() -> set[str]:
    """The size curve."""
    made = (each_repetition(name, "train", "predict_test") for name in SIZES)
    return {"size_curve.collect_outcomes"}.union(*made)


def leaky(*steps: str) -> set[str]:
    """Steps of the row with leaks let through, and what follows them."""
    return each_repetition(LEAKY, *steps) | {f"{LEAKY}.collect_outcomes"} | LEAKS


def learned() -> set[str]:
    """The personalisation of textual_inversion, which its row takes from the collection."""
    return {*each_repetition("personalise", "textual_inversion")} | {"personalise.collect_textual_inversion"}


LEAKY_ROW = leaky("retrieve", "train", "predict_test")
ALL_TRAINING = trained(*PLAIN) | sizes() | leaky("train", "predict_test") | COMPARISON
ALL_ROWS = row(*ADDING) | ALL_TRAINING | LEAKY_ROW
EVERYTHING = (
    READING | SEARCHING | learned() | ALL_ROWS | {"embed_val", "comparison.check_screening", "comparison.check_judge"}
)
