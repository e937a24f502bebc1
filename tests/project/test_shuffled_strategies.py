"""A smoke test of the verdict: a run whose rows are shuffled says that nothing differs."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

ROWS = ("original_only", "more_real", "simple_prompt", "retrieval_text")


def test_rows_that_are_shuffled_in_every_repetition_do_not_differ(finished, tmp_path):
    from retrieval_vs_diffusion.pipelines.evaluate.comparing import compare

    project = finished.copy(tmp_path / "project")
    done = project.kedro("run", "--env=test", "--params", f"only={'+'.join(ROWS)},repetitions.number=5")
    assert done.returncode == 0, done.stdout + done.stderr
    made = project.path / "data/test/07_model_output"
    results = {name: json.loads((made / name / "results.json").read_text()) for name in ROWS}
    tables = {name: pd.read_parquet(made / name / "outcomes.parquet") for name in ROWS}

    # More right than chance for one row, in every repetition, or this could not fail.
    better = tables["retrieval_text"]
    better["predicted"] = np.where(np.arange(len(better)) % 10 < 8, better["label"], better["predicted"])
    assert "better" in verdicts(compare, results, tables)

    random = np.random.default_rng(0)
    shuffled = {name: [] for name in ROWS}
    for repetition in range(5):
        for name, other in zip(ROWS, random.permutation(ROWS), strict=True):
            shuffled[name].append(tables[other][tables[other]["repetition"] == repetition])
    mixed = {name: pd.concat(parts, ignore_index=True) for name, parts in shuffled.items()}
    assert verdicts(compare, results, mixed) == {"too close to call"}


def verdicts(compare, results: dict, outcomes: dict) -> set[str]:
    """What the node of the pipeline says of the family."""
    _, comparisons, _, summary = compare(
        list(results),
        0.0,
        [4] * 10,
        [str(number) for number in range(10)],
        **{f"results_of_{name}": each for name, each in results.items()},
        **{f"outcomes_of_{name}": each for name, each in outcomes.items()},
    )
    assert summary["sentence"]
    return set(comparisons["verdict"])
