"""A profile of a run, told by step and by function."""

from __future__ import annotations

from benchmarks.profile_of_run import innermost, read, step, what

WORKER = "_run_node (retrieval_vs_diffusion/execution/workers.py)"
TRAINING = (
    f"{WORKER};run (kedro/pipeline/node.py);train_classifier (retrieval_vs_diffusion/pipelines/train/nodes.py)"
)
RAW = f"""process 7:"kedro run";{TRAINING};fit (/a/retrieval_vs_diffusion/training/fit.py);step (torch/optim/sgd.py) 6
process 7:"kedro run";{TRAINING};_find_and_load (<frozen importlib._bootstrap>) 2
process 8:"kedro run";{WORKER};load (kedro/io/core.py);read_table (pyarrow/parquet/core.py) 1
process 6:"kedro run";main (kedro/framework/cli/cli.py);after_node_run (/a/retrieval_vs_diffusion/tracking.py) 1
"""


def test_stacks_are_told_by_what_they_do():
    samples = [(what(frames), count) for frames, count in read(RAW)]
    assert samples == [
        ("functions of steps", 6),
        ("loading modules, in a worker", 2),
        ("reading inputs, in a worker", 1),
        ("MLflow, in the main process", 1),
    ]


def test_a_library_counts_for_the_function_that_called_it():
    stacks = [frames for frames, _ in read(RAW)]
    assert [step(frames) for frames in stacks] == [
        "train_classifier (pipelines/train/nodes.py)",
        "train_classifier (pipelines/train/nodes.py)",
        "none",
        "none",
    ]
    assert [innermost(frames) for frames in stacks] == [
        "fit (training/fit.py)",
        "loading modules",
        "_run_node (execution/workers.py)",
        "after_node_run (tracking.py)",
    ]
