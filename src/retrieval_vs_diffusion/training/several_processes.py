"""A classifier that several processes of this machine train, each on its share of every batch."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from retrieval_vs_diffusion.execution.new_processes import run_together
from retrieval_vs_diffusion.images.shared_squares import shared
from retrieval_vs_diffusion.models.checkpoint import read_checkpoint, write_checkpoint
from retrieval_vs_diffusion.models.classifier import create_network
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.remote.remote_path import RemotePath, as_path
from retrieval_vs_diffusion.training.recipe import ClassifierTraining
from retrieval_vs_diffusion.training.training_loop import Training, train
from retrieval_vs_diffusion.unfinished import Section, unfinished

_TRAINED = "trained"


def train_in_processes(
    training: Training, device: torch.device, processes: int, section: Section, started: float
) -> tuple[nn.Module, pd.DataFrame, int | None]:
    """Train as ``train`` does, in new processes; this one waits, and shows how far they are.

    Args:
        training: what.
        device: where; on ``cuda`` each process takes a GPU of its own.
        processes: how many; 2 at least.
        section: where states are kept.
        started: when, by ``time.perf_counter``.

    Returns:
        The network, the looks, and the most memory that was given out on the first GPU.

    Raises:
        UserError: what a process raised, or that one was killed.
    """
    recipe, threads = training.recipe, _threads_of_each(processes)
    with _folder() as folder:
        training = dataclasses.replace(
            training,
            recipe=_with_local_init(recipe),
            images=shared(training.images, folder / "images.npy"),
            val_images=shared(training.val_images, folder / "val_images.npy"),
        )
        told = run_together(
            _train_share, processes, processes, training, device.type, threads, folder, section, started
        )
        with contextlib.closing(told):
            done, steps = next(told)
            for _ in progress(_each(told, done), training.description, steps - done):
                pass
        trained = read_checkpoint(folder / _TRAINED, _TRAINED)
    network = create_network(recipe.model, training.classes)
    network.load_state_dict(trained["weights"])
    return network, pd.DataFrame(trained["history"]), trained["peak_memory_bytes"]


def _with_local_init(recipe: ClassifierTraining) -> ClassifierTraining:
    """With the local copy of weights that lie in an object store: new processes do not know how that is reached."""
    init = as_path(recipe.init)
    if not isinstance(init, RemotePath):
        return recipe
    return recipe.model_copy(update={"init": str(init.local(kept=True))})


def _train_share(
    rank: int,
    tell: Callable[[Any], None],
    processes: int,
    training: Training,
    kind: str,
    threads: int,
    folder: Path,
    section: Section,
    started: float,
) -> None:
    """What each process does; the first one writes what was learned."""
    if rank:  # the others would say the same
        logging.disable(logging.WARNING)
        warnings.simplefilter("ignore")
    from retrieval_vs_diffusion.models.out_of_memory import told
    from retrieval_vs_diffusion.training.accelerated import Accelerated
    from retrieval_vs_diffusion.training.fit import REMEDY

    with told(REMEDY):
        together = Accelerated(rank, processes, kind, threads, folder, tell)
        network, history = train(training, together.device, together, section, started)
        if together.is_first:
            peak = torch.cuda.max_memory_allocated() if kind == "cuda" else None
            learned = {
                "weights": network.state_dict(),
                "history": history.to_dict("records"),
                "peak_memory_bytes": peak,
            }
            write_checkpoint(folder / _TRAINED, learned, _TRAINED)
        together.end()


def _threads_of_each(processes: int) -> int:
    """As many threads as one process has, and in all no more than there are cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(torch.get_num_threads(), cores // processes))


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder for what the processes share while they train, beside what the step keeps."""
    scratch = unfinished().scratch()
    if scratch is None:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    folder = scratch / "processes"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _each(told: Iterator[int], done: int) -> Iterator[int]:
    """Every step, though not every one may be told."""
    for step in told:
        while done < step:
            done += 1
            yield done
