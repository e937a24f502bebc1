"""A profile of a run, told by step and by function."""

from __future__ import annotations

from benchmarks.profile_of_run import innermost, read, step, what

WORKER = "_run_node (retrieval_vs_diffusion/execution/workers.py:2)"
TRAINING = (
    f"{WORKER};run (kedro/pipeline/node.py:3);train_classifier (retrieval_vs_diffusion/pipelines/train/nodes.py:9)"
)
RAW = f"""process 6:"a";process 7:"a";{TRAINING};fit (/a/retrieval_vs_diffusion/training/fit.py:4);step (sgd.py:5) 6
process 7:"a";{TRAINING};_find_and_load (<frozen importlib._bootstrap>:6) 2
process 7:"a";thread (0x1);beat (retrieval_vs_diffusion/progress.py:7);Condition.wait (threading.py:3) 50
process 8:"a";{WORKER};Table.load (kedro/io/core.py:8);read_table (pyarrow/parquet/core.py:9) 1
process 8:"a";thread (0x2);run (threading.py:1);CountedFlops.count (retrieval_vs_diffusion/models/flops.py:3) 3
process 6:"a";main (kedro/framework/cli/cli.py:1);Hook.after_node (/a/retrieval_vs_diffusion/tracking.py:2) 1
"""


def test_stacks_are_told_by_what_they_do_and_threads_that_wait_are_none():
    assert [(what(sample), sample.count) for sample in read(RAW)] == [
        ("functions of steps", 6),
        ("loading modules, in a worker", 2),
        ("reading inputs, in a worker", 1),
        ("functions of steps", 3),
        ("MLflow, in the main process", 1),
    ]


def test_a_library_counts_for_the_function_that_called_it():
    samples = read(RAW)
    training = "train_classifier (pipelines/train/nodes.py)"
    assert [step(sample) for sample in samples] == [training, training, "none", "none", "none"]
    assert [innermost(sample) for sample in samples] == [
        "fit (training/fit.py)",
        "loading modules",
        "_run_node (execution/workers.py)",
        "CountedFlops.count (models/flops.py)",
        "Hook.after_node (tracking.py)",
    ]
