"""What could make a run wait for ever does not: threads that its process used before, and a worker that is killed.

Each run is in a process of its own, which fails by its time where it would hang.
"""

import json
import os
import subprocess
import sys
import textwrap

import pytest

SECONDS = 240  # a run needs some seconds, of which most are for importing PyTorch
RUN = """
import logging, os, signal, sys, time
from pathlib import Path
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset
from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.claims import Claims
from retrieval_vs_diffusion.execution.freshness import Freshness
from retrieval_vs_diffusion.execution.workers import run_side_by_side

folder = Path(sys.argv[1])

def run(*functions):
    steps = Pipeline([Node(each, None, each.__name__, name=each.__name__) for each in functions])
    catalog = DataCatalog({name: JSONDataset(filepath=str(folder / f"{name}.json")) for name in steps.all_outputs()})
    for node, outcome in run_side_by_side(steps, catalog, 2, Claims(Freshness(steps, catalog))):
        if isinstance(outcome, Exception):
            raise outcome
"""


@pytest.fixture
def run_alone(tmp_path):
    def run_alone(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", RUN + textwrap.dedent(script), str(tmp_path)],
            env={**os.environ, "OMP_NUM_THREADS": "2"},  # the tests' own is 1, with which nothing starts threads
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    return run_alone


def test_workers_use_threads_though_the_process_that_forked_them_had_used_some(run_alone, tmp_path):
    script = """
        import faiss, numpy as np, torch

        def by_torch():
            torch.set_num_threads(2)
            images, kernels = torch.ones(32, 3, 64, 64, requires_grad=True), torch.ones(16, 3, 3, 3)
            torch.nn.functional.conv2d(images, kernels).sum().backward()
            return [torch.ones(1_000_000).exp().gt(2).sum().item(), torch.get_num_threads()]

        def by_faiss():
            faiss.omp_set_num_threads(2)
            rows = np.eye(64, dtype=np.float32)
            index = faiss.IndexFlatIP(64)
            index.add(rows)
            return index.search(rows, 1)[1].ravel().tolist() == list(range(64))

        def by_sklearn():
            from sklearn.cluster import KMeans
            return len(KMeans(2, n_init=1, random_state=0).fit(np.eye(64)).cluster_centers_)

        by_torch(), by_faiss(), by_sklearn()
        run(by_torch, by_faiss, by_sklearn)
    """
    done = run_alone(script)
    assert done.returncode == 0, done.stderr
    made = [json.loads((tmp_path / f"by_{library}.json").read_text()) for library in ("torch", "faiss", "sklearn")]
    assert made == [[1_000_000, 2], True, 2]


def test_a_run_ends_where_a_worker_is_killed_in_the_middle_of_a_line(run_alone):
    script = """
        def is_dead(process):
            try:
                return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
            except FileNotFoundError:
                return True

        class Waits(logging.Handler):
            # For the end of the process that a line names: meanwhile nothing is read of what that one writes.
            def emit(self, record):
                if record.msg.isdigit():
                    (folder / "begun").touch()
                    while not is_dead(record.msg):
                        time.sleep(0.01)

        logging.getLogger().handlers = [Waits()]

        def killed():
            logging.warning("%d", os.getpid())
            while not (folder / "begun").exists():
                time.sleep(0.01)
            logging.warning("a" * 10_000_000)  # more than a pipe or a socket holds
            time.sleep(1)  # for a thread that writes it behind the step's back, were there one
            os.kill(os.getpid(), signal.SIGKILL)

        try:
            run(killed)
        except UserError as error:
            print(error)
    """
    done = run_alone(script)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "a worker died while killed ran, perhaps for want of memory; lower `workers`\n"
