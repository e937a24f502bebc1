"""Training a classifier in bfloat16 beside the same in float32: another precision, and so a row of its own."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from benchmarks.measuring import Measured, interleaved
from benchmarks.natural_pictures import natural_pictures
from benchmarks.rows import row
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.training.fit import Fitted, fit_classifier
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

SIDE, IMAGES, REPEATS = 96, 64, 3
FLOAT32 = ClassifierTraining(
    model="resnet18", image_size=SIDE, steps=6, batch_size=32, learning_rate=1e-3, crop="resized", validation_looks=1
)
BFLOAT16 = FLOAT32.model_copy(update={"precision": "bfloat16"})


@row("extra_training_bfloat16", "float32")
def training_precision(folder: Path) -> Measured:
    """``classifier.precision`` alone differs."""
    logging.disable(logging.INFO)  # how far each training is
    # Pieces of two photographs in turn: the classes.
    pieces = enumerate(natural_pictures(IMAGES, SIDE))
    table = ImageTable.from_rows(image_row(piece, str(number), label=number % 2) for number, piece in pieces)
    losses: dict[str, float] = {}

    def fit(recipe: ClassifierTraining) -> None:
        device = torch.device("cpu")
        fitted: Fitted = fit_classifier(table, None, table, ("temple", "flower"), recipe, "union", device, seed=0)
        losses[recipe.precision] = float(fitted.history["train_loss"].iloc[-1])

    work = f"{FLOAT32.steps} steps of {FLOAT32.batch_size} images of {SIDE} pixels, {FLOAT32.model}, and a look at {IMAGES}"
    measured = interleaved(lambda: fit(BFLOAT16), lambda: fit(FLOAT32), REPEATS, work=work)
    apart = abs(losses["bfloat16"] / losses["float32"] - 1)
    return measured.with_check(apart <= 0.02, f"mean training loss {apart:.2%} apart; at most 2 % asked")
