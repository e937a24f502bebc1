"""A training that is interrupted and started again ends as if nothing had happened, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from retrieval_vs_diffusion.training.denoising import encode_originals, optimise_denoising
from retrieval_vs_diffusion.training.fit import fit_classifier
from retrieval_vs_diffusion.training.personalisation import PersonalisationTraining
from retrieval_vs_diffusion.training.recipe import ClassifierTraining
from retrieval_vs_diffusion.training.resumable import Resumable, is_checkpoint
from retrieval_vs_diffusion.unfinished import kept_in

NAMES = ("red", "blue")
LABELS = [0, 1] * 4
RECIPE = ClassifierTraining(
    model="tiny_convnet",
    image_size=16,
    steps=12,
    batch_size=4,
    learning_rate=0.01,
    validation_looks=4,
    augmentation="rand_augment",
    cutmix=0.5,
)


class Interrupted(BaseException):
    """As a kill: nothing catches it."""


@pytest.fixture
def interrupted_after(monkeypatch):
    """Ends a training at the step after so many looks, as a kill would, and counts the steps of each run."""

    def arrange(looks: int | None) -> list[int]:
        seen = [0]
        keep = Resumable.keep

        def kept(self, **values):
            keep(self, **values)
            seen[0] += 1
            if seen[0] == looks:
                raise Interrupted

        monkeypatch.setattr(Resumable, "keep", kept)
        return seen

    yield arrange
    monkeypatch.undo()


@pytest.mark.parametrize("crop", ["sampled", "resized"])
def test_a_classifier(tmp_path, red_and_blue, device, interrupted_after, monkeypatch, crop):
    recipe = RECIPE.model_copy(update={"crop": crop})

    def train():
        tables = red_and_blue(LABELS), red_and_blue(LABELS, seed=1, name="added"), red_and_blue(LABELS, seed=2)
        return fit_classifier(*tables, NAMES, recipe, "share", device, seed=3)

    undisturbed = train()
    interrupted_after(2)
    with kept_in(tmp_path / "step" / "f"), pytest.raises(Interrupted):
        train()
    monkeypatch.undo()
    steps = []
    step_of = torch.optim.AdamW.step
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self, *a: (steps.append(1), step_of(self, *a))[1])
    torch.manual_seed(99)  # another process has another state
    with kept_in(tmp_path / "step" / "f"):
        resumed = train()
    assert len(steps) == 6  # of 12, for two looks of three steps each were kept
    assert resumed.history.drop(columns="seconds").equals(undisturbed.history.drop(columns="seconds"))
    for name, weights in undisturbed.classifier.network.state_dict().items():
        assert torch.equal(weights, resumed.classifier.network.state_dict()[name]), name


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_a_personalisation(tmp_path, red_and_blue, diffusion, interrupted_after, monkeypatch, looks):
    training = PersonalisationTraining(steps=6, batch_size=3, looks=3, patience=9, learning_rate=0.01)
    images = encode_originals(diffusion, red_and_blue(LABELS), 0.25, seed=0)
    shown = diffusion.encode("a photo").detach()

    def learn():
        parameter = torch.nn.Parameter(shown.clone().expand(2, -1, -1).clone())
        curve = optimise_denoising(
            diffusion, [parameter], lambda at, _: parameter[images.labels[at]], images, NAMES, training, 1, "learning"
        )
        return parameter.detach(), curve

    undisturbed, curve = learn()
    interrupted_after(looks)
    with kept_in(tmp_path / "step" / "f"), pytest.raises(Interrupted):
        learn()
    monkeypatch.undo()
    with kept_in(tmp_path / "step" / "f"):
        resumed, same = learn()
    assert torch.equal(undisturbed, resumed)
    assert same == curve
    assert [each["step"] for each in curve.looks] == [0, 2, 4, 6]


def test_numpys_generators_go_on_too(tmp_path):
    def draw(interrupted: bool) -> list[int]:
        random = np.random.default_rng(0)
        resumable = Resumable("drawing", {}, [random])
        drawn = resumable.restore().get("drawn", [])
        while len(drawn) < 4:
            drawn = [*drawn, int(random.integers(1000))]
            if len(drawn) == 2:
                resumable.keep(drawn=drawn)
                if interrupted:
                    raise Interrupted
        return drawn

    with kept_in(tmp_path / "step" / "f"), pytest.raises(Interrupted):
        draw(interrupted=True)
    with kept_in(tmp_path / "step" / "f"):
        assert draw(interrupted=False) == np.random.default_rng(0).integers(1000, size=4).tolist()


def test_a_training_without_looks_keeps_twenty_states_or_fewer_and_never_the_last():
    for steps in (1, 4, 20, 21, 600):
        kept = [step for step in range(1, steps + 1) if is_checkpoint(step, steps)]
        assert len(kept) <= 20
        assert steps not in kept
    assert [step for step in range(1, 101) if is_checkpoint(step, 100)] == list(range(5, 100, 5))
