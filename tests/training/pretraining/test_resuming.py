"""Training of a world's own models goes on where it was interrupted, to the same weights."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from retrieval_vs_diffusion.training.pretraining.autoencoder import train_autoencoder
from retrieval_vs_diffusion.training.pretraining.clip import train_clip
from retrieval_vs_diffusion.training.pretraining.denoiser import train_denoiser
from retrieval_vs_diffusion.training.pretraining.judge import train_judge
from retrieval_vs_diffusion.training.pretraining.settings import (
    AutoencoderTraining,
    ClipTraining,
    DenoiserTraining,
    JudgeTraining,
)
from retrieval_vs_diffusion.training.resumable import Resumable
from retrieval_vs_diffusion.unfinished import kept_in

STEPS = {"steps": 4, "batch_size": 8}


@pytest.fixture
def trainers(pool, tokenizer, pristine_pipeline, device):
    pixels, captions = pool.pixels()[:40], pool.column("caption")[:40]
    towers = {"image_tower": "tiny_convnet", "embedding_dim": 16, "text_width": 16, "text_layers": 1}
    settings = DenoiserTraining(channels=(8, 16), **STEPS)

    def denoiser():
        parts = copy.deepcopy([pristine_pipeline.vae, pristine_pipeline.text_encoder])
        return train_denoiser(pixels, captions, *parts, pristine_pipeline.tokenizer, settings, device, 0).unet

    return {
        "CLIP": lambda: train_clip(pixels, captions, tokenizer, ClipTraining(**towers, **STEPS), device, 0)[0],
        "autoencoder": lambda: train_autoencoder(pixels, AutoencoderTraining(channels=(8, 16), **STEPS), device, 0),
        "denoiser": denoiser,
        "judge": lambda: train_judge(
            pixels, np.arange(40) % 3, 3, JudgeTraining(model="tiny_convnet", **STEPS), device, 0
        ),
    }


@pytest.mark.parametrize("model", ["CLIP", "autoencoder", "denoiser", "judge"])
def test_interrupted_after_two_of_four_steps(model, trainers, tmp_path, monkeypatch):
    undisturbed = trainers[model]().state_dict()
    done, keep = [], Resumable.keep

    def interrupted(self, **values):
        keep(self, **values)
        done.append(values["done"])
        if values["done"] == 2:
            raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(Resumable, "keep", interrupted)
        with kept_in(tmp_path / "step" / "f"), pytest.raises(InterruptedError):
            trainers[model]()
    assert done == [1, 2]
    steps, step_of = [], torch.optim.AdamW.step
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self, *given: (steps.append(1), step_of(self, *given))[1])
    with kept_in(tmp_path / "step" / "f"):
        resumed = trainers[model]().state_dict()
    assert len(steps) == 2  # the third and the fourth
    assert all(torch.equal(undisturbed[name], resumed[name]) for name in undisturbed)
