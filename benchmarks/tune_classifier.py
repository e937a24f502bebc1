"""Compare classifier recipes on the base world's validation images, for original_only and more_real alone.

Run after ``kedro run --pipeline=data_ingest``:  python benchmarks/tune_classifier.py
"""

import itertools
import time
from pathlib import Path

import numpy as np
import torch

from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.training.fit import fit_classifier
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

DATA = Path("data")
REPETITIONS = 3
PER_CLASS = 10


def table(path: str) -> ImageTable:
    """An image table of the base world."""
    return ImageTableDataset(filepath=str(DATA / path)).load()


def main() -> None:
    """Print mean validation accuracy and CPU seconds of each recipe."""
    torch.set_num_threads(1)
    val, reservoir = table("02_intermediate/target/val"), table("02_intermediate/target/reservoir")
    names = tuple(map(str, range(10)))
    grid = itertools.product(("tiny_convnet", "small_convnet"), (0.003, 0.01, 0.02), (0.35, 0.6, 0.8), (300,))
    for model, rate, area, steps in grid:
        recipe = ClassifierTraining(model=model, learning_rate=rate, smallest_crop_area=area, steps=steps)
        found: dict[str, list[float]] = {"original_only": [], "more_real": []}
        started = time.process_time()
        for repetition in range(REPETITIONS):
            subset = SubsetDraw(derive_seed("base", "target subset", f"repetition_{repetition}"))
            train = subset.train(reservoir, names, PER_CLASS)
            held_back = subset.held_back(reservoir, names, PER_CLASS)
            first = np.concatenate([np.flatnonzero(held_back.labels() == label)[:PER_CLASS] for label in range(10)])
            for row, added in (("original_only", None), ("more_real", held_back.take(first))):
                fitted = fit_classifier(train, added, val, names, recipe, "union", torch.device("cpu"), repetition)
                found[row].append(fitted.history["val_top1"].max())
        seconds = (time.process_time() - started) / (2 * REPETITIONS)
        means = "  ".join(f"{row} {np.mean(values):.3f}" for row, values in found.items())
        print(f"{model:<14} rate {rate:<6} crop {area:<4} steps {steps}: {means}  {seconds:.1f} s a fit", flush=True)


if __name__ == "__main__":
    main()
