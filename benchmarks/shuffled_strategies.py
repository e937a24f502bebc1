"""How often a verdict is reached where nothing differs: real predictions whose rows are shuffled.

In each repetition the rows' predictions are given to other rows at random, so that no name means anything
any more; then the whole family is compared as in a run. Run after ``kedro run`` (or ``make table``):

    python benchmarks/shuffled_strategies.py [--env base] [--shuffles 1000]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from retrieval_vs_diffusion.comparison.outcomes import Outcomes
from retrieval_vs_diffusion.comparison.verdicts import NO_VERDICT, TOO_CLOSE, compare_pairs, declared_family


def load_outcomes(env: str) -> dict[str, Outcomes]:
    """The predictions of all rows of a world that there are."""
    root = Path(__file__).parents[1]
    bootstrap_project(root)
    with KedroSession.create(root, env=env) as session:
        catalog = session.load_context().catalog
        from retrieval_vs_diffusion.world import current_study

        there = {name: catalog[f"{name}.outcomes"] for name in current_study().strategies}
        return {name: Outcomes.from_table(each.load()) for name, each in there.items() if each.exists()}


def shuffled(outcomes: dict[str, Outcomes], random: np.random.Generator) -> dict[str, Outcomes]:
    """The same predictions under other names, drawn anew in each repetition."""
    names = list(outcomes)
    everything = np.stack([each.predicted for each in outcomes.values()])  # [rows, repetitions, images]
    order = np.stack([random.permutation(len(names)) for _ in range(everything.shape[1])], axis=1)
    mixed = np.take_along_axis(everything, order[:, :, None], axis=0)
    return {name: replace(outcomes[name], predicted=mixed[row]) for row, name in enumerate(names)}


def main() -> None:
    """Print the share of shuffles in which anything is called better or worse."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="base")
    parser.add_argument("--shuffles", type=int, default=1000)
    arguments = parser.parse_args()
    outcomes = load_outcomes(arguments.env)
    names = list(outcomes)
    family = declared_family(names, {"retrieve": names[-1], "generate": names[-2]})
    random = np.random.default_rng(0)
    false_alarms = 0
    for _ in range(arguments.shuffles):
        verdicts = compare_pairs(family, shuffled(outcomes, random))["verdict"]
        false_alarms += bool((~verdicts.isin([TOO_CLOSE, NO_VERDICT])).any())
    repetitions = len(next(iter(outcomes.values())).repetitions)
    print(f"{len(names)} rows, {repetitions} repetitions, {len(family)} comparisons, {arguments.shuffles} shuffles:")
    print(f"in {100 * false_alarms / arguments.shuffles:.1f} % of them something is called better or worse")


if __name__ == "__main__":
    main()
