"""A classifier trained by two real processes (gloo) is the one that a single process trains, but for rounding."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from dataclasses import dataclass

import numpy as np
import psutil
import pytest
import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.training import several_processes
from retrieval_vs_diffusion.training.fit import Fitted, fit_classifier
from retrieval_vs_diffusion.training.recipe import ClassifierTraining
from retrieval_vs_diffusion.unfinished import Section, UnfinishedWork, kept_in

NAMES = ("red", "blue")
# 15 images a batch are 7 and 8 for the two; every image is cropped, and half are mirrored.
RECIPE = ClassifierTraining(
    model="tiny_convnet", image_size=16, steps=30, batch_size=15, validation_looks=6, learning_rate=0.001,
    horizontal_flip=True,
)  # fmt: skip


def noisy(labels: list[int], seed: int) -> ImageTable:
    """Pictures of 16 pixels whose colour leans to red or blue, by less than it varies."""
    random = np.random.default_rng(seed)
    colours = np.array([[150, 90, 90], [90, 90, 150]])[labels][:, None, None, :]
    pixels = (colours + random.integers(-90, 91, (len(labels), 16, 16, 3))).clip(0, 255).astype(np.uint8)
    rows = zip(pixels, labels, strict=True)
    return ImageTable.from_rows(image_row(each, f"{seed}/{at}", label=label) for at, (each, label) in enumerate(rows))


def fit(device: torch.device, processes: int, recipe: ClassifierTraining = RECIPE) -> Fitted:
    tables = noisy([0, 1] * 20, 1), noisy([0, 1] * 10, 2), noisy([0, 1] * 15, 3)
    return fit_classifier(*tables, NAMES, recipe, "share", device, seed=0, processes=processes)


def test_weights_in_an_object_store_are_fetched_before_there_are_processes(bucket, remote_cache):
    bucket.put("weights.safetensors", b"weights")
    recipe = RECIPE.model_copy(update={"init": bucket.address("weights.safetensors")})
    local = several_processes._with_local_init(recipe)
    (copy,) = remote_cache.glob("??/*.safetensors")
    assert (local.init, copy.read_bytes()) == (str(copy), b"weights")
    assert local.model_copy(update={"init": recipe.init}) == recipe
    assert several_processes._with_local_init(RECIPE) is RECIPE


class KilledOnceItKept(Section):
    """Ends its process, as the system does for want of memory, when a first state is kept."""

    def keep(self, unit, write):
        super().keep(unit, write)
        connections = psutil.Process().net_connections()
        listening = [at.laddr.ip for at in connections if at.status == psutil.CONN_LISTEN]
        (self._folder.parent / "listening.json").write_text(json.dumps(listening))
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Trained:
    one: Fitted
    two: Fitted
    killed: str
    listening: list[str]
    loaded: set[str]
    left: list[str]
    steps_shown: list[int]


@pytest.fixture(scope="module")
def trained(device, tmp_path_factory) -> Trained:
    """The same training by one process, and by two of which one is killed, whereupon two others go on."""
    before = set(sys.modules)
    one = fit(device, 1)
    loaded = {name.split(".")[0] for name in set(sys.modules) - before}
    folder = tmp_path_factory.mktemp("step") / "f"
    shown: list[int] = []

    def progress(steps, description, total):
        shown.append(total)
        yield from steps

    with kept_in(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(UnfinishedWork, "section", lambda self, name: KilledOnceItKept(folder / f"{name}_0"))
        patch.setattr(several_processes, "progress", progress)
        with pytest.raises(UserError) as killed:
            fit(device, 2)
    assert not multiprocessing.active_children()
    left = [each.parent.name for each in folder.rglob("*") if each.is_file()]
    with kept_in(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(several_processes, "progress", progress)
        two = fit(device, 2)
    listening = json.loads((folder / "listening.json").read_text())
    return Trained(one, two, str(killed.value), listening, loaded, left, shown)


def test_what_is_learned_is_the_same_but_for_rounding(trained):
    """Sums in another order differ by some 1e-7 of their size; AdamW moves a weight by 0.001 a step at most.

    A process that saw other images, crops or batch statistics, or took the mean of its own half alone, would move the
    weights elsewhere: by 0.001 in a step, and 0.03 in thirty.
    """
    one, two = (each.classifier.network.state_dict() for each in (trained.one, trained.two))
    assert one.keys() == two.keys()
    weights = [name for name, _ in trained.one.classifier.network.named_parameters()]
    assert max(float((one[name] - two[name]).abs().max()) for name in weights) < 0.00001


def test_the_looks_are_the_same(trained):
    one, two = trained.one.history, trained.two.history
    assert two["step"].tolist() == one["step"].tolist() == [5, 10, 15, 20, 25, 30]
    assert two["kept"].tolist() == one["kept"].tolist()
    assert two["val_top1"].tolist() == one["val_top1"].tolist()
    # The mean loss of batches: of the same images in the same order, with the same crops.
    np.testing.assert_allclose(two["train_loss"], one["train_loss"], rtol=1e-4)
    np.testing.assert_allclose(two["val_loss"], one["val_loss"], rtol=1e-3)


def test_two_that_go_on_after_a_kill_do_not_begin_again(trained):
    assert trained.killed.startswith(
        "process 1 of 2 was ended by SIGKILL, perhaps for want of memory; the same command"
    )
    assert sorted(trained.left) == ["classifier_0", "f"]  # the state of the first look, and what this test wrote down
    assert trained.steps_shown == [30, 25]  # the second time all but the five before the first look


def test_nobody_listens_beyond_this_machine(trained):
    assert set(trained.listening) <= {"127.0.0.1", "::1"}


def test_one_process_needs_no_accelerate(trained):
    assert "accelerate" not in trained.loaded
