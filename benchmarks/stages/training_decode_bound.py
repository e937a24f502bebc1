"""Training a classifier on 224-pixel JPEGs whose decoding takes most of the time, beside torchvision's way."""

from __future__ import annotations

import contextlib
import copy
import io
import itertools
import math
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from timm.models import register_model
from timm.models.resnet import BasicBlock, ResNet
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from benchmarks.measuring import Measured, interleaved
from benchmarks.rows import row
from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
from retrieval_vs_diffusion.images.decoded_store import decoded_in
from retrieval_vs_diffusion.images.image_table import ImageTable, content_hash
from retrieval_vs_diffusion.models.classifier import DEVIATION, MEAN, create_network
from retrieval_vs_diffusion.training.batches_ahead import BatchesAhead
from retrieval_vs_diffusion.training.fit import fit_classifier
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

CLASSES, TRAIN, VAL, BATCH, EPOCHS, REPEATS = 4, 512, 256, 32, 3, 3
WORKERS = 2  # of the peer, one a core
CPU = torch.device("cpu")
RECIPE = ClassifierTraining(
    model="benchmark_thin_resnet",
    image_size=224,
    steps=EPOCHS * TRAIN // BATCH,
    batch_size=BATCH,
    learning_rate=0.02,
    crop="resized",
    smallest_crop_area=0.25,
    horizontal_flip=True,
    validation_looks=EPOCHS,
)


@register_model
def benchmark_thin_resnet(pretrained: bool = False, **arguments: Any) -> ResNet:
    """A ResNet of two stages of one block, a quarter of the channels, and a stem of stride 16."""
    del pretrained
    wanted = {name: value for name, value in arguments.items() if name in {"num_classes", "in_chans"}}
    network = ResNet(BasicBlock, (1, 1, 1, 1), channels=(16, 32, 32, 64), stem_type="deep", stem_width=8, **wanted)
    network.conv1, network.bn1 = nn.Conv2d(3, 16, 7, stride=16, padding=3, bias=False), nn.BatchNorm2d(16)
    network.layer3 = network.layer4 = nn.Identity()
    network.fc = nn.Linear(32, network.num_classes)
    return network


@row("training_decode_bound", "torchvision-imagefolder", at_least=2)
def measure(folder: Path) -> Measured:
    """Three epochs each, from files that lie on the disk, the first epoch included."""
    torch.set_num_threads(
        1
    )  # of the training on both sides: loading takes the other core, and with two both are slower
    train, val = (_make_images(folder, part, number) for part, number in (("train", TRAIN), ("val", VAL)))
    names = tuple(f"class_{label}" for label in range(CLASSES))
    seeds = {"ours": itertools.count(), "theirs": itertools.count()}
    accuracies: dict[str, list[float]] = {"ours": [], "theirs": []}
    orders: dict[int, np.ndarray] = {}
    ours_seen: dict[int, list[int]] = {}
    seen: dict[int, list[int]] = {}

    def ours() -> None:
        seed = next(seeds["ours"])
        with decoded_in(folder / f"decoded-{seed}", 10**9), _recorded() as asked:
            fitted = fit_classifier(train.load(), None, val.load(), names, RECIPE, "union", CPU, seed)
        ours_seen[seed] = np.concatenate(asked).tolist()
        accuracies["ours"].append(fitted.history["val_top1"].max())

    def theirs() -> None:
        seed = next(seeds["theirs"])
        accuracy, seen[seed] = _train_as_torchvision(folder, names, orders[seed], seed)
        accuracies["theirs"].append(accuracy)

    for seed in range(REPEATS):
        orders[seed] = _order_of(train.load(), val.load(), names, seed)
    measured = interleaved(ours, theirs, repeats=REPEATS, warm_up=False)
    loading = 1 - _seconds_of_steps(names) / statistics.median(measured.theirs)
    rates = [EPOCHS * TRAIN / statistics.median(each) for each in (measured.ours, measured.theirs)]
    same_order = seen == ours_seen
    (mean, spread), (their_mean, their_spread) = map(_mean_and_spread, accuracies.values())
    # Of a seed, and of which images validation has.
    noise = math.hypot(spread, their_spread) / math.sqrt(REPEATS) + math.sqrt(mean * (1 - mean) * 2 / VAL / REPEATS)
    checked = (
        f"{'the same' if same_order else 'not the same'} {EPOCHS * TRAIN:,} samples in the same order; validation accuracy "
        f"over {REPEATS} seeds {mean:.3f} (standard deviation {spread:.3f}), theirs {their_mean:.3f} ({their_spread:.3f})"
    )
    work = (
        f"{EPOCHS} epochs of {TRAIN} JPEGs of 224 pixels, batches of {BATCH}, the first epoch included: {rates[0]:.0f} "
        f"images/s beside {rates[1]:.0f}; loading is {loading:.0%} of the peer's time"
    )
    measured = Measured(measured.ours, measured.theirs, work=work)
    return measured.with_check(same_order and abs(mean - their_mean) <= 2 * noise and loading >= 0.8, checked)


def _make_images(folder: Path, part: str, number: int) -> ImageTableDataset:
    """Pieces of two photographs whose tint tells their class: class folders for the peer, an image table for us."""
    random = np.random.default_rng([number, len(part)])
    photographs = [Image.fromarray(image) for image in load_sample_images().images]
    rows = []
    for label in range(CLASSES):
        (folder / part / f"class_{label}").mkdir(parents=True)
        for position in range(number // CLASSES):
            photograph = photographs[position % 2]
            side = int(random.integers(150, 400))
            left, top = (int(random.integers(0, length - side)) for length in photograph.size)
            piece = photograph.crop((left, top, left + side, top + side)).resize((224, 224))
            angle = 2 * math.pi * label / CLASSES + random.normal(0, 0.45)
            tint = 1 + 0.3 * np.cos(angle + np.array([0, 2, 4]) * math.pi / 3)
            pixels = (np.asarray(piece) * tint).clip(0, 255).astype(np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "JPEG", quality=92)
            name = f"class_{label}/{position:04d}.jpg"
            (folder / part / name).write_bytes(buffer.getvalue())
            image = {"bytes": buffer.getvalue(), "path": None}
            rows.append({"image_id": name, "content_hash": content_hash(pixels), "image": image, "label": label})
    dataset = ImageTableDataset(filepath=str(folder / f"{part}-table"))
    dataset.save(ImageTable.from_rows(rows))
    return dataset


def _order_of(train: ImageTable, val: ImageTable, names: tuple[str, ...], seed: int) -> np.ndarray:
    """The positions of the images of each batch that our training of this seed takes, [steps, batch].

    Read off a training on black dots: order and crops are drawn from one generator, whatever the images show.
    """
    tiny = RECIPE.model_copy(update={"model": "tiny_convnet", "image_size": 8})
    small = [
        ImageTable.from_rows({**each, "image": _DOT} for each in table.table.to_pylist()) for table in (train, val)
    ]

    with _recorded() as asked:
        fit_classifier(small[0], None, small[1], names, tiny, "union", CPU, seed)
    return np.stack(asked)


@contextlib.contextmanager
def _recorded() -> Iterator[list[np.ndarray]]:
    """The batches that a training asks for."""
    asked: list[np.ndarray] = []

    class Recorded(BatchesAhead):
        def ask(self, batch: torch.Tensor, drawn: torch.Tensor | None = None) -> None:
            if drawn is not None:  # and no look at validation
                asked.append(batch.numpy())
            super().ask(batch, drawn)

    with mock.patch("retrieval_vs_diffusion.training.training_loop.BatchesAhead", Recorded):
        yield asked


def _dot() -> dict[str, Any]:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


_DOT = _dot()


class _Numbered(ImageFolder):
    """torchvision's, which also says which image it gave."""

    def __getitem__(self, index: int) -> tuple[Any, int, int]:
        return (*super().__getitem__(index), index)


class _Batches:
    """A batch sampler that gives the batches of one epoch, in our order."""

    def __init__(self, order: np.ndarray) -> None:
        self._epochs = np.split(order, EPOCHS)
        self.epoch = 0

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._epochs[self.epoch].tolist())

    def __len__(self) -> int:
        return TRAIN // BATCH


def _train_as_torchvision(
    folder: Path, names: tuple[str, ...], order: np.ndarray, seed: int
) -> tuple[float, list[int]]:
    """As torchvision's references train; returns the best accuracy of the looks, and the images in their order."""
    normalise = [transforms.ToTensor(), transforms.Normalize([MEAN] * 3, [DEVIATION] * 3)]
    crop = transforms.RandomResizedCrop(224, scale=(RECIPE.smallest_crop_area, 1.0))
    augment = transforms.Compose([crop, transforms.RandomHorizontalFlip(), *normalise])
    torch.manual_seed(seed)
    network = create_network(RECIPE.model, len(names)).to(memory_format=torch.channels_last)
    batches = _Batches(order)
    loader = DataLoader(
        _Numbered(str(folder / "train"), augment),
        batch_sampler=batches,
        num_workers=WORKERS,
        persistent_workers=True,
    )
    val = DataLoader(
        ImageFolder(
            str(folder / "val"), transforms.Compose([transforms.Resize(224), transforms.CenterCrop(224), *normalise])
        ),
        batch_size=256,
        num_workers=WORKERS,
        persistent_workers=True,
    )
    optimiser, schedule = _optimiser(network)
    seen: list[int] = []
    best, best_state = -1.0, {}
    for batches.epoch in range(EPOCHS):
        network.train()
        for images, labels, numbers in loader:
            seen += numbers.tolist()
            _step(network, optimiser, schedule, images, labels)
        network.eval()
        with torch.inference_mode():
            right = [(network(images).argmax(1) == labels).float().mean().item() for images, labels in val]
        if statistics.mean(right) > best:
            best, best_state = statistics.mean(right), copy.deepcopy(network.state_dict())
    network.load_state_dict(best_state)
    return best, seen


def _optimiser(network: torch.nn.Module) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    optimiser = torch.optim.AdamW(network.parameters(), lr=RECIPE.learning_rate, weight_decay=RECIPE.weight_decay)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, RECIPE.learning_rate, total_steps=RECIPE.steps)


def _step(network: torch.nn.Module, optimiser: Any, schedule: Any, images: torch.Tensor, labels: torch.Tensor) -> None:
    logits = network(images.contiguous(memory_format=torch.channels_last))
    loss = functional.cross_entropy(logits, labels, label_smoothing=RECIPE.label_smoothing)
    loss.item()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()


def _seconds_of_steps(names: tuple[str, ...]) -> float:
    """What the peer's steps and looks take on batches that lie in memory."""
    network = create_network(RECIPE.model, len(names)).to(memory_format=torch.channels_last)
    optimiser, schedule = _optimiser(network)
    images, labels = torch.randn(BATCH, 3, 224, 224), torch.arange(BATCH) % len(names)
    started = time.perf_counter()
    for _ in range(RECIPE.steps):
        _step(network, optimiser, schedule, images, labels)
    network.eval()
    with torch.inference_mode():
        for _ in range(EPOCHS * VAL // BATCH):
            network(images)
    return time.perf_counter() - started


def _mean_and_spread(values: list[float]) -> tuple[float, float]:
    return statistics.mean(values), statistics.stdev(values)
