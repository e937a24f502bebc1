"""Training ResNet-50 on JPEGs, beside torchvision's ImageFolder with a DataLoader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu_stages.image_folder_training import ImageFolderTraining
from benchmarks.gpu_stages.photographs import LOOKS, jpegs
from benchmarks.gpu_stages.place import Place, exact_float32
from benchmarks.gpu_stages.reported import Check, GpuRow
from benchmarks.measuring import interleaved
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.training.fit import Fitted, fit_classifier
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

EPOCHS = 3
FLOPS = 24.3e9  # of ResNet-50 for one image of 224 pixels, backward pass included
CLASS_NAMES = tuple(f"look {look}" for look in range(LOOKS))


@dataclass(frozen=True)
class _Size:
    """What is trained on what."""

    model: str
    images: int
    side: int
    batch_size: int
    different: int

    @property
    def recipe(self) -> ClassifierTraining:
        """Three epochs, one validation look at the end."""
        return ClassifierTraining(
            model=self.model,
            image_size=self.side,
            steps=EPOCHS * (self.images // self.batch_size),
            batch_size=self.batch_size,
            learning_rate=1e-3,
            smallest_crop_area=0.35,
            horizontal_flip=True,
            crop="resized",  # as the peer crops
            precision="bfloat16",  # as the peer computes
            validation_looks=1,
        )


def measure(place: Place) -> Iterator[GpuRow]:
    """One row."""
    size = _Size("resnet10t", 32, 64, 16, 32) if place.tiny else _Size("resnet50", 6400, 224, 256, 1600)
    recipe = size.recipe
    made = jpegs(size.different, size.side) * (size.images // size.different)
    originals, val = _table(made), _table(jpegs(size.batch_size, size.side, seed=1))
    folder = place.folder / "image_folder"
    _write(made, folder / "train")
    peer = ImageFolderTraining(folder / "train", val, recipe, EPOCHS, place)
    fitted: list[Fitted] = []

    def ours() -> float:
        return place.timed(lambda: fitted.append(_fit(originals, val, recipe, place)), recipe.steps * size.batch_size)

    def theirs() -> float:
        return place.timed(peer.train, recipe.steps * size.batch_size)

    brief = recipe.model_copy(update={"steps": 4})
    low = _fit(originals, val, brief, place)  # warms up, too
    with exact_float32():
        reference = _fit(originals, val, brief.model_copy(update={"precision": "float32"}), place)
    peer.warm_up()
    work = f"{EPOCHS} epochs of {size.images} JPEGs of {size.side} pixels, {size.model}, the first epoch included"
    measured = interleaved(ours, theirs, repeats=1 if place.tiny else 2, warm_up=False, work=work)
    accuracies = [float(each.history["val_top1"].iloc[-1]) for each in fitted]
    losses = [float(each.history["train_loss"].iloc[-1]) for each in (low, reference)]
    yield GpuRow(
        "training_decode_bound",
        "torchvision-imagefolder",
        measured,
        "images",
        None if place.tiny else FLOPS,
        (
            Check("training loss of four steps to that in float32", losses[0] / losses[1], 0.98, 1.02),
            Check("images seen less the peer's", recipe.steps * size.batch_size - peer.seen, 0, 0),
            # Two standard errors of a difference of two shares of so few images, at worst.
            Check("validation accuracy less the peer's", accuracies[-1] - peer.accuracy, -2 * (0.5 / len(val)) ** 0.5),
        ),
        place.peak_memory(lambda: _fit(originals, val, brief, place)),
        at_least=3,
        aim=3000,
    )
    place.profiled("training_decode_bound", lambda: _fit(originals, val, brief, place))


def _fit(originals: ImageTable, val: ImageTable, recipe: ClassifierTraining, place: Place) -> Fitted:
    """Our side: what trains the classifier of every strategy."""
    return fit_classifier(originals, None, val, CLASS_NAMES, recipe, "union", place.device, seed=0)


def _table(made: list[tuple[bytes, int]]) -> ImageTable:
    return ImageTable.from_rows(
        {"image_id": str(n), "content_hash": str(n), "image": {"bytes": data, "path": None}, "label": look}
        for n, (data, look) in enumerate(made)
    )


def _write(made: list[tuple[bytes, int]], folder: Path) -> None:
    for name in CLASS_NAMES:
        (folder / name).mkdir(parents=True)
    for number, (data, look) in enumerate(made):
        (folder / CLASS_NAMES[look] / f"{number:06d}.jpg").write_bytes(data)
