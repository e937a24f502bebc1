"""A classifier trained by two real processes (gloo) is the one that a single process trains, but for rounding."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.training.fit import Fitted, fit_classifier
from retrieval_vs_diffusion.training.recipe import ClassifierTraining
from retrieval_vs_diffusion.unfinished import kept_in

NAMES = ("red", "blue")
# 15 images a batch are 7 and 8 for the two; every image is cropped, and half are mirrored.
RECIPE = ClassifierTraining(
    model="small_convnet", image_size=32, steps=30, batch_size=15, validation_looks=6, learning_rate=0.001,
    horizontal_flip=True,
)  # fmt: skip


def noisy(labels: list[int], seed: int) -> ImageTable:
    """Pictures of 32 pixels whose colour leans to red or blue, by less than it varies."""
    random = np.random.default_rng(seed)
    colours = np.array([[150, 90, 90], [90, 90, 150]])[labels][:, None, None, :]
    pixels = (colours + random.integers(-90, 91, (len(labels), 32, 32, 3))).clip(0, 255).astype(np.uint8)
    rows = zip(pixels, labels, strict=True)
    return ImageTable.from_rows(image_row(each, f"{seed}/{at}", label=label) for at, (each, label) in enumerate(rows))


def fit(device: torch.device, processes: int, recipe: ClassifierTraining = RECIPE) -> Fitted:
    tables = noisy([0, 1] * 20, 1), noisy([0, 1] * 10, 2), noisy([0, 1] * 15, 3)
    return fit_classifier(*tables, NAMES, recipe, "share", device, seed=0, processes=processes)


@dataclass
class Killer:
    """Kills one of the processes that train, once a state is kept."""

    folder: Path
    ids: list[int] = field(default_factory=list)
    listening: set[str] = field(default_factory=set)

    def __call__(self) -> None:
        end = time.monotonic() + 120
        while time.monotonic() < end and not list(self.folder.rglob("checkpoint.*")):
            time.sleep(0.002)
        children = multiprocessing.active_children()
        self.ids = [each.pid for each in children]
        os.kill(self.ids[-1], signal.SIGSTOP)  # so that nothing ends while it is looked at
        for each in self.ids:
            connections = psutil.Process(each).net_connections()
            self.listening |= {at.laddr.ip for at in connections if at.status == psutil.CONN_LISTEN}
        os.kill(self.ids[-1], signal.SIGKILL)


@dataclass
class Trained:
    one: Fitted
    two: Fitted
    killed: str
    killer: Killer
    loaded: set[str]
    left: list[Path]


@pytest.fixture(scope="module")
def trained(device, tmp_path_factory) -> Trained:
    """The same training by one process, and by two of which one is killed, whereupon two others go on."""
    before = set(sys.modules)
    one = fit(device, 1)
    loaded = {name.split(".")[0] for name in set(sys.modules) - before}
    folder = tmp_path_factory.mktemp("step") / "f"
    killer = Killer(folder)
    thread = threading.Thread(target=killer)
    thread.start()
    with kept_in(folder), pytest.raises(UserError) as killed:
        fit(device, 2)
    thread.join()
    with kept_in(folder):
        two = fit(device, 2)
    return Trained(one, two, str(killed.value), killer, loaded, list(folder.rglob("*")))


def test_what_is_learned_is_the_same_but_for_rounding(trained):
    """Sums in another order differ by some 1e-7 of their size; AdamW moves a weight by 0.001 a step at most.

    A process that saw other images, crops or batch statistics, or took the mean of its own half alone, would move the
    weights elsewhere: by 0.001 in a step, and 0.03 in thirty.
    """
    one, two = (each.classifier.network.state_dict() for each in (trained.one, trained.two))
    assert one.keys() == two.keys()
    weights = [name for name, _ in trained.one.classifier.network.named_parameters()]
    assert max(float((one[name] - two[name]).abs().max()) for name in weights) < 0.001 / 20


def test_the_looks_are_the_same(trained):
    one, two = trained.one.history, trained.two.history
    assert two["step"].tolist() == one["step"].tolist() == [5, 10, 15, 20, 25, 30]
    assert two["kept"].tolist() == one["kept"].tolist()
    assert two["val_top1"].tolist() == one["val_top1"].tolist()
    # The mean loss of batches: of the same images in the same order, with the same crops.
    np.testing.assert_allclose(two["train_loss"], one["train_loss"], rtol=1e-4)
    np.testing.assert_allclose(two["val_loss"], one["val_loss"], rtol=1e-3)


def test_two_that_go_on_after_a_kill_do_not_begin_again(trained):
    seconds = trained.two.history["seconds"].diff()
    assert trained.killed.startswith("process 2 of 2 was ended by SIGKILL") or "process 1 of 2" in trained.killed
    assert (trained.two.processes, trained.one.processes) == (2, 1)
    assert seconds.max() > 1.0  # between two looks that new processes were started between


def test_of_the_killed_training_no_process_and_no_shared_file_is_left(trained):
    assert len(trained.killer.ids) == 2
    assert not any(map(psutil.pid_exists, trained.killer.ids))
    assert not [each for each in trained.left if "processes" in each.parts]


def test_nobody_listens_beyond_this_machine(trained):
    assert trained.killer.listening <= {"127.0.0.1", "::1"}


def test_one_process_needs_no_accelerate(trained):
    assert "accelerate" not in trained.loaded


def test_what_a_process_cannot_do_is_the_line_that_one_alone_would_say(device):
    hot = RECIPE.model_copy(update={"learning_rate": 1e38})
    with pytest.raises(UserError, match=r"^training the classifier stopped at step \d+: the loss is (nan|inf); lower"):
        fit(device, 2, hot)
