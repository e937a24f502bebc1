"""Repetitions of a small classifier side by side, as a run trains them, beside one after the other."""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset
from PIL import Image
from sklearn.datasets import load_digits

from benchmarks.measuring import Measured, interleaved
from benchmarks.rows import row
from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
from retrieval_vs_diffusion.catalog.model_datasets import ClassifierDataset
from retrieval_vs_diffusion.execution.claims import Claims
from retrieval_vs_diffusion.execution.freshness import Freshness
from retrieval_vs_diffusion.execution.workers import number_of_workers, run_side_by_side
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.pipelines.bound import bound
from retrieval_vs_diffusion.pipelines.train.nodes import train_classifier
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

REPETITIONS, REPEATS, PER_CLASS, VAL_PER_CLASS = 4, 3, 10, 20
STEPS = (
    150  # half of the base world's, for the time of the row; with 30, starting the workers is more than half of ours
)
RECIPE = ClassifierTraining(model="small_convnet", steps=STEPS, smallest_crop_area=0.8)  # the base world's else
# Half of its work in smaller pieces, of which two threads make less.
TINY = RECIPE.model_copy(update={"model": "tiny_convnet"})
NAMES = [str(digit) for digit in range(10)]


@row("several_repetitions", "one-after-the-other", at_least=1.3)
def small(folder: Path) -> Measured:
    """The base world's network."""
    return _measured(folder, RECIPE)


@row("extra_several_repetitions_tiny_convnet", "one-after-the-other")
def tiny(folder: Path) -> Measured:
    """One convolution a scale."""
    return _measured(folder, TINY)


def _measured(folder: Path, recipe: ClassifierTraining) -> Measured:
    """The same trainings with the same seeds; on our side through worker processes and artifacts on the disk."""
    logging.disable(logging.INFO)  # how far each training is
    reservoir, val = _digits()
    ImageTableDataset(filepath=str(folder / "reservoir")).save(reservoir)
    ImageTableDataset(filepath=str(folder / "val")).save(val)
    made, found = itertools.count(), {}
    # In a process of its own, so that ours forks from one in which nothing was trained, as a run does.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as other:
        other.submit(_one_after_the_other, folder, recipe, 1, 1).result()  # it imports

        def ours() -> None:
            found["ours"] = _side_by_side(folder, recipe, folder / f"run-{next(made)}")

        def theirs() -> float:
            seconds, found["theirs"] = other.submit(_one_after_the_other, folder, recipe, None, REPETITIONS).result()
            return seconds

        measured = interleaved(ours, theirs, repeats=REPEATS, warm_up=False)
        of_one_thread, found["one thread"] = other.submit(_one_after_the_other, folder, recipe, 1, REPETITIONS).result()
    torch.set_num_threads(1)
    found["ours"] = [_described(each, val) for each in found["ours"]]
    same_bits = all(
        np.array_equal(mine[name], alone[name])
        for mine, alone in zip(found["ours"], found["one thread"], strict=True)
        for name in alone
    )
    labels = val.labels()
    accuracy, theirs_accuracy = (
        float(np.mean([each["said"] == labels for each in found[side]])) for side in ("ours", "theirs")
    )
    work = (
        f"{REPETITIONS} trainings of {recipe.model} at 16 pixels, {STEPS} steps of {recipe.batch_size}, "
        f"{number_of_workers(0)} side by side with a thread each; one after the other with a thread takes {of_one_thread:.3g} s"
    )
    measured = Measured(measured.ours, measured.theirs, work=work)
    return measured.with_check(
        same_bits and abs(accuracy - theirs_accuracy) <= 0.02,
        f"{'all' if same_bits else 'not all'} weights are to the bit those of one after the other with a thread; validation "
        f"accuracy {accuracy:.3f}, of the peer, whose number of threads changes the last bits, {theirs_accuracy:.3f}",
    )


def _digits() -> tuple[ImageTable, ImageTable]:
    """scikit-learn's scanned digits at 16 pixels."""
    digits = load_digits()
    parts: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for label in range(10):
        for number, position in enumerate(np.flatnonzero(digits.target == label)[: 4 * PER_CLASS + VAL_PER_CLASS]):
            grey = Image.fromarray((digits.images[position] * 15).astype(np.uint8)).resize((16, 16))
            made = image_row(np.asarray(grey.convert("RGB")), f"{label}/{number}", label=label)
            parts[number < VAL_PER_CLASS].append(made)
    return ImageTable.from_rows(parts[0]), ImageTable.from_rows(parts[1])


def _fixed(recipe: ClassifierTraining, repetition: int) -> dict[str, Any]:
    """What the pipeline binds of a training."""
    return {
        "mix": "share",
        "overrides": ClassifierTraining(),
        "init_digest": None,
        "seed": repetition,
        "description": f"repetition {repetition}",
        "subset": SubsetDraw(repetition),
        "originals": 1.0,
        "added_per_original": None,
        "originals_per_class": [PER_CLASS] * 10,
        "class_names": NAMES,
        "recipe": recipe.model_dump(),
        "compute": {"device": "cpu", "threads": 1},
    }


def _side_by_side(folder: Path, recipe: ClassifierTraining, made: Path) -> list[Any]:
    """As a run does it: every training a node, whose inputs and outputs are artifacts."""
    datasets: dict[str, Any] = {name: ImageTableDataset(filepath=str(folder / name)) for name in ("reservoir", "val")}
    nodes = []
    for repetition in range(REPETITIONS):
        outputs = [f"{what}_{repetition}" for what in ("classifier", "history", "record")]
        datasets[outputs[0]] = ClassifierDataset(filepath=str(made / f"{repetition}.safetensors"))
        datasets[outputs[1]] = CSVDataset(filepath=str(made / f"{repetition}.csv"), save_args={"index": False})
        datasets[outputs[2]] = JSONDataset(filepath=str(made / f"{repetition}.json"))
        inputs = {"reservoir": "reservoir", "val": "val"}
        nodes.append(
            Node(bound(train_classifier, **_fixed(recipe, repetition)), inputs, outputs, name=f"train_{repetition}")
        )
    pipeline, catalog = Pipeline(nodes), DataCatalog(datasets)
    for _, outcome in run_side_by_side(pipeline, catalog, number_of_workers(0), Claims(Freshness(pipeline, catalog))):
        if isinstance(outcome, Exception):
            raise outcome
    return [datasets[f"classifier_{repetition}"].load() for repetition in range(REPETITIONS)]


def _one_after_the_other(
    folder: Path, recipe: ClassifierTraining, threads: int | None, repetitions: int
) -> tuple[float, list[dict[str, np.ndarray]]]:
    """The same trainings in this process; returns their seconds too.

    Args:
        folder: where the images are.
        recipe: of the training.
        threads: of torch; None for as many as it takes by itself.
        repetitions: how many.
    """
    logging.disable(logging.INFO)
    usual = torch.get_num_threads()
    fixed = {"compute": {"device": "cpu", "threads": threads or usual}}
    reservoir, val = (ImageTableDataset(filepath=str(folder / name)) for name in ("reservoir", "val"))
    started = time.perf_counter()
    trained = [
        train_classifier(**{**_fixed(recipe, repetition), **fixed}, reservoir=reservoir.load(), val=val.load())[0]
        for repetition in range(repetitions)
    ]
    seconds = time.perf_counter() - started
    torch.set_num_threads(1)
    described = [_described(each, val.load()) for each in trained]
    torch.set_num_threads(usual)
    return seconds, described


def _described(classifier: Any, val: ImageTable) -> dict[str, np.ndarray]:
    """Its weights by name, and what it says of the validation images."""
    said = classifier.probabilities(val.pixels(), torch.device("cpu")).argmax(axis=1)
    return {**{name: value.numpy() for name, value in classifier.network.state_dict().items()}, "said": said}
