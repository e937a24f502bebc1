import copy
import logging

import pytest
import torch

from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.training.denoising import encode_originals, optimise_denoising
from retrieval_vs_diffusion.training.personalisation import PersonalisationTraining

NAMES = ("red", "blue")


@pytest.fixture(scope="module")
def originals(red_and_blue):
    return red_and_blue([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])


@pytest.fixture(scope="module")
def untouched(pristine_pipeline, device) -> Diffusion:
    diffusion = Diffusion(copy.deepcopy(pristine_pipeline), "tiny", device)
    for module in (diffusion.pipeline.unet, diffusion.pipeline.vae, diffusion.pipeline.text_encoder):
        module.requires_grad_(False)
    return diffusion


def learn(diffusion, images, seed=0, **settings):
    """Learn one matrix a class; returns the curve, the parameter and its value at the start."""
    fields = {"steps": 8, "batch_size": 4, "learning_rate": 0.01, "looks": 4, **settings}
    start = diffusion.encode("a")
    matrices = torch.nn.Parameter(torch.stack([start, start]).clone())
    curve = optimise_denoising(
        diffusion,
        [matrices],
        lambda positions, _: matrices[images.labels[positions]],
        images,
        NAMES,
        PersonalisationTraining(**fields),
        seed,
        "learning",
    )
    return curve, matrices.detach(), torch.stack([start, start])


def test_a_share_of_each_class_is_held_out(untouched, originals):
    images = encode_originals(untouched, originals, held_out_share=0.4, seed=0)
    assert sorted([*images.train.tolist(), *images.held_out.tolist()]) == list(range(10))
    assert images.labels[images.held_out].tolist() == [0, 0, 1, 1]  # 0.4 of five
    assert images.latents.shape == (10, 4, 8, 8)
    other = encode_originals(untouched, originals, held_out_share=0.4, seed=1)
    assert other.held_out.tolist() != images.held_out.tolist()


def test_a_class_of_one_image_keeps_it_to_learn_from(untouched, originals):
    images = encode_originals(untouched, originals.take([0, 5, 6, 7]), held_out_share=0.9, seed=0)
    assert images.labels[images.train].tolist() == [0, 1]
    assert images.labels[images.held_out].tolist() == [1, 1]


def test_the_held_out_loss_falls_and_its_best_state_is_kept(untouched, originals):
    images = encode_originals(untouched, originals, 0.4, seed=0)
    curve, matrices, start = learn(untouched, images, steps=40, learning_rate=0.02)
    losses = [look["held_out_loss"] for look in curve.looks]
    assert [look["step"] for look in curve.looks] == [0, 10, 20, 30, 40]
    assert min(losses) < losses[0]
    assert [look["kept"] for look in curve.looks] == [
        loss < min(losses[:place], default=float("inf")) for place, loss in enumerate(losses)
    ]
    assert not torch.equal(matrices, start)


def test_where_learning_only_harms_the_start_is_returned_and_it_stops_early(untouched, originals):
    images = encode_originals(untouched, originals, 0.4, seed=0)
    curve, matrices, start = learn(untouched, images, steps=40, learning_rate=100.0, looks=20, patience=2)
    assert [look["kept"] for look in curve.looks] == [True, False, False]  # the start, then two looks without gain
    assert curve.looks[-1]["step"] == 4  # a look every 2 of 40 steps
    assert torch.equal(matrices, start)


def test_with_nothing_held_out_the_last_state_is_kept(untouched, originals):
    images = encode_originals(untouched, originals, 0.0, seed=0)
    curve, matrices, start = learn(untouched, images)
    assert len(images.held_out) == 0
    assert all(look["kept"] and look["held_out_loss"] is None for look in curve.looks)
    assert curve.looks[-1]["step"] == 8
    assert not torch.equal(matrices, start)


def test_the_seed_decides_what_is_learned(untouched, originals):
    images = encode_originals(untouched, originals, 0.2, seed=0)
    (_, one, _), (_, same, _), (_, other, _) = (learn(untouched, images, seed) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_accumulated_batches_are_one_step_over_their_mean(untouched, originals):
    """Two batches of two images make one step: its gradient is the mean of theirs, so each step moves as far."""
    images = encode_originals(untouched, originals, 0.0, seed=0)
    for accumulation in (1, 2):
        curve, matrices, start = learn(untouched, images, steps=1, batch_size=2, accumulation=accumulation, looks=1)
        assert curve.looks[-1]["step"] == 1
        moved = (matrices - start).abs().max()
        assert 0.009 < moved < 0.0125  # AdamW's first step is the rate, however large the gradient
    losses = []
    for seed in (0, 1):
        curve, _, _ = learn(untouched, images, seed, steps=1, batch_size=2, accumulation=3, looks=1)
        losses.append(curve.looks[-1]["train_loss"])
    assert all(0.05 < loss < 5 for loss in losses)  # a mean over three batches and not their sum


def test_gradient_checkpointing_changes_memory_and_not_what_is_learned(pristine_pipeline, device, originals):
    learned = []
    for checkpointing in (False, True):
        diffusion = Diffusion(copy.deepcopy(pristine_pipeline), "tiny", device)
        diffusion.pipeline.unet.requires_grad_(False)
        images = encode_originals(diffusion, originals, 0.2, seed=0)
        learned.append(learn(diffusion, images, gradient_checkpointing=checkpointing)[1])
        assert diffusion.pipeline.unet.is_gradient_checkpointing == checkpointing
    assert torch.allclose(*learned, atol=1e-5)


def test_a_loss_that_is_not_finite_stops_the_learning_and_names_class_and_step(untouched, originals, caplog):
    images = encode_originals(untouched, originals, 0.2, seed=0)
    images.latents[images.labels == 1] = float("nan")
    caplog.set_level(logging.WARNING)
    curve, matrices, start = learn(untouched, images)
    assert curve.diverged == 'class "blue", step 1'
    assert 'learning: the loss is not finite (class "blue", step 1); the state of step 0 is kept' in caplog.text
    assert torch.equal(matrices, start)


def test_a_rate_that_blows_up_leaves_the_last_good_state(untouched, originals):
    images = encode_originals(untouched, originals, 0.2, seed=0)
    curve, matrices, _ = learn(untouched, images, steps=20, looks=20, learning_rate=1e30, patience=20)
    assert curve.diverged is not None
    assert torch.isfinite(matrices).all()


def test_a_denoiser_that_predicts_noise_is_taught_as_well(untouched, originals):
    noise = Diffusion(copy.deepcopy(untouched.pipeline), "tiny", untouched.device)
    noise.pipeline.scheduler.register_to_config(prediction_type="epsilon")
    images = encode_originals(noise, originals, 0.2, seed=0)
    by_noise, by_velocity = (learn(each, images)[0].looks[0]["held_out_loss"] for each in (noise, untouched))
    assert 0.1 < by_noise < 10
    assert by_noise != by_velocity
