"""How often intervals hold the truth, and how often a family of tests finds what is not there.

Synthetic predictions whose true accuracies are known (comparison/simulation.py), 2,000 sets a setting:

    OMP_NUM_THREADS=1 python benchmarks/calibrate_intervals.py [--sets 2000]    # 5 minutes of one core

Prints a Markdown table for each question, with a column for each way to make an interval; in bold where it
misses the target: 92 to 98 % of intervals hold the truth, and at most 7 % of families find a difference.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from statsmodels.stats.multitest import multipletests

from retrieval_vs_diffusion.comparison.intervals import (
    Interval,
    accuracy_interval,
    bootstrap_interval,
    crossed_interval,
    mean_squares,
    satterthwaite,
    student_t,
)
from retrieval_vs_diffusion.comparison.simulation import Variation, log_odds_for, simulate

SETTINGS = {  # name: what varies, accuracy of the baseline and of every row where they differ
    "as the base world": (Variation(), 0.74, 0.82),
    "repetitions vary more": (Variation(2.0, 0.3, 0.15, 0.7), 0.74, 0.82),
    "repetitions vary most": (Variation(1.0, 0.5, 0.25, 0.3), 0.74, 0.82),
    "repetitions are alike": (Variation(2.0, 0.0, 0.0, 0.7), 0.74, 0.82),
    "images vary most": (Variation(4.0, 0.05, 0.05, 2.0), 0.74, 0.82),
    "hardly any variation": (Variation(0.5, 0.02, 0.02, 0.1), 0.74, 0.82),
    "97 % right": (Variation(), 0.97, 0.94),
}
REPETITIONS, IMAGES = (5, 20), (100, 497)
RETRIEVAL, GENERATION, ROWS = slice(1, 6), slice(6, 16), 20  # strategy 0 is the baseline
VALIDATION = 100  # images that name the pair
DRAWS = 1000  # of a bootstrap
BOOTSTRAP_FAMILIES = 10  # every tenth set: a family of bootstraps takes 20 ms
COVERAGE = {
    "mean": "an accuracy",
    "zero": "a paired difference of zero",
    "other": "a paired difference of 8 or 3 points",
}
ERRORS = {"family": "20 rows against the baseline and the pair, Holm at 0.05", "pair": "the pair alone, p < 0.05"}


def truncated(values: np.ndarray) -> Interval:
    """As textbooks have it: every negative variance is zero, that of rows too."""
    rows, columns = values.shape
    of_rows, of_columns, of_rest = mean_squares(values)
    of_rows, of_columns = max(of_rows, of_rest), max(of_columns, of_rest)
    error = math.sqrt((of_rows + of_columns - of_rest) / (rows * columns))
    return _by_t(values.mean(), error, satterthwaite(of_rows, of_columns, of_rest, rows, columns) if error else 1)


def untruncated_rows(values: np.ndarray) -> Interval:
    """A mean square of rows is taken as it is, in the degrees of freedom too."""
    rows, columns = values.shape
    of_rows, of_columns, of_rest = mean_squares(values)
    of_columns = max(of_columns, of_rest)
    error = math.sqrt((of_rows + of_columns - of_rest) / (rows * columns))
    return _by_t(values.mean(), error, satterthwaite(of_rows, of_columns, of_rest, rows, columns) if error else 1)


def over_repetitions(values: np.ndarray) -> Interval:
    """Student's t over the repetitions' means: the images are taken as given."""
    means = values.mean(axis=1)
    return _by_t(means.mean(), means.std(ddof=1) / math.sqrt(len(means)), len(means) - 1)


def _by_t(estimate: float, error: float, degrees: float) -> Interval:
    quantile, p_value = student_t(
        estimate / error if error else math.inf * estimate if estimate else 0.0, degrees, 0.95
    )
    return Interval(estimate, estimate - quantile * error, estimate + quantile * error, error, degrees, p_value)


METHODS: dict[str, Callable[[np.ndarray], Interval]] = {
    "accuracy_interval": lambda values: accuracy_interval(values.astype(bool)),  # of accuracies only
    "crossed_interval": crossed_interval,
    "bootstrap_interval": lambda values: bootstrap_interval(values, draws=DRAWS),
    "textbook": truncated,
    "rows as they are": untruncated_rows,
    "t over repetitions": over_repetitions,
}


def one_set(
    setting: str, repetitions: int, images: int, random: np.random.Generator
) -> Iterator[tuple[str, np.ndarray, float]]:
    """Question, values and truth; the family's differences come last, the pair's at their end."""
    variation, low, high = SETTINGS[setting]
    odds = [log_odds_for(low, variation)] * (1 + ROWS) + [log_odds_for(high, variation)]
    both = simulate(odds, repetitions, VALIDATION + images, variation, random)
    on_validation, correct = both[..., :VALIDATION].mean(axis=(1, 2)), both[..., VALIDATION:].astype(float)
    yield "mean", correct[0], low
    yield "zero", correct[1] - correct[0], 0.0
    yield "other", correct[-1] - correct[0], high - low
    for row in range(1, 1 + ROWS):
        yield "family", correct[row] - correct[0], 0.0
    retrieval, generation = (arm.start + on_validation[arm].argmax() for arm in (RETRIEVAL, GENERATION))
    yield "family", correct[retrieval] - correct[generation], 0.0


def rates(setting: str, repetitions: int, images: int, sets: int) -> dict[str, dict[str, float]]:
    """For each question and method the share of sets: that hold the truth, or whose tests find a difference."""
    random = np.random.default_rng([list(SETTINGS).index(setting), repetitions, images])
    found: dict[str, dict[str, list[bool]]] = {name: {} for name in METHODS}
    for number in range(sets):
        questions = list(one_set(setting, repetitions, images, random))
        for name, method in METHODS.items():
            tables, p_values = found[name], []
            for question, values, truth in questions:
                if name == "accuracy_interval" and question != "mean":
                    continue
                if question != "family":
                    interval = method(values)  # bounds that are NaN hold nothing
                    tables.setdefault(question, []).append(interval.low <= truth <= interval.high)
                elif name != "bootstrap_interval" or number % BOOTSTRAP_FAMILIES == 0:
                    p_values.append(method(values).p_value)
            if p_values:
                tables.setdefault("family", []).append(_finds_one(p_values, check=number == 0))
                tables.setdefault("pair", []).append(p_values[-1] <= 0.05)
    return {name: {question: float(np.mean(each)) for question, each in table.items()} for name, table in found.items()}


def _finds_one(p_values: list[float], check: bool) -> bool:
    """Whether Holm's correction lets any stand: its first step is Bonferroni's, of the smallest."""
    found = min(p_values) * len(p_values) <= 0.05
    if check:  # statsmodels collects garbage at every call, 36 ms: once a case must do
        assert found == multipletests(p_values, alpha=0.05, method="holm")[0].any()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table a question."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=2000, help="synthetic sets for each setting")
    sets, start = parser.parse_args(arguments).sets, time.perf_counter()
    cases = [(setting, r, n) for setting in SETTINGS for r in REPETITIONS for n in IMAGES]
    results = {case: rates(*case, sets) for case in cases}
    for question, what in {**COVERAGE, **ERRORS}.items():
        names = [name for name in METHODS if question in results[cases[0]][name]]
        said = "hold" if question in COVERAGE else "false alarms of"
        print(f"\n**Share of sets, in %: {said} {what}**\n")
        print("| setting | repetitions | images | " + " | ".join(names) + " |\n|" + "---|" * (3 + len(names)))
        for case in cases:
            shares = [results[case][name][question] for name in names]
            print(
                "| " + " | ".join(map(str, case)) + " | " + " | ".join(_cell(each, question) for each in shares) + " |"
            )
    print(
        f"\n{sets} sets a setting (for the bootstrap's false alarms {math.ceil(sets / BOOTSTRAP_FAMILIES)}), "
        f"{time.perf_counter() - start:.0f} s"
    )


def _cell(share: float, question: str) -> str:
    missed = not 0.92 <= share <= 0.98 if question in COVERAGE else share > 0.07
    return f"**{share * 100:.1f}**" if missed else f"{share * 100:.1f}"


if __name__ == "__main__":
    main()
