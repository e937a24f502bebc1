import copy
import logging
import re

import pytest
import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.training import denoising
from retrieval_vs_diffusion.training.denoising import encode_originals, optimise_denoising
from retrieval_vs_diffusion.training.personalisation import PersonalisationTraining

NAMES = ("red", "blue")


@pytest.fixture(scope="module")
def originals(red_and_blue):
    return red_and_blue([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])


@pytest.fixture(scope="module")
def untouched(pristine_pipeline, device) -> Diffusion:
    return Diffusion(copy.deepcopy(pristine_pipeline), "tiny", device)


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


def test_held_out_images_leave_one_of_each_group_to_learn_from(untouched, originals):
    groups = torch.tensor([0, 0, 0, 0, 1, 2, 2, 3, 3, 4])  # clusters: red of 4 and 1, blue of 2, 2 and 1
    for seed in range(5):
        images = encode_originals(untouched, originals, 0.6, seed, groups)
        assert set(groups[images.train].tolist()) == {0, 1, 2, 3, 4}
        assert images.labels[images.held_out].tolist() == [0, 0, 0, 1, 1]  # of blue's three only two can go


def test_the_state_of_the_lowest_held_out_loss_is_returned(untouched, originals):
    images = encode_originals(untouched, originals, 0.4, seed=0)
    states = []  # as they were on each look, which asks for conditions without a generator

    def conditions_of(positions, generator):
        if generator is None:
            states.append(matrices.detach().clone())
        return matrices[images.labels[positions]]

    start = untouched.encode("a")
    matrices = torch.nn.Parameter(torch.stack([start, start]).clone())
    settings = PersonalisationTraining(steps=12, batch_size=16, learning_rate=0.5, looks=12, patience=12)
    curve = optimise_denoising(untouched, [matrices], conditions_of, images, NAMES, settings, 0, "learning")
    losses = [look["held_out_loss"] for look in curve.looks]
    assert len(states) == len(losses) == 13  # four held-out images at four noise levels are one batch
    best = losses.index(min(losses))
    assert 0 < best < 12  # with this rate neither the first nor the last
    assert torch.equal(matrices, states[best])
    assert not torch.equal(matrices, states[-1])


@pytest.mark.parametrize(
    ("steps", "looks", "expected"), [(8, 4, [0, 2, 4, 6, 8]), (5, 2, [0, 3, 5]), (2, 10, [0, 1, 2])]
)
def test_looks_are_spread_evenly_and_are_never_more_than_asked_for(untouched, originals, steps, looks, expected):
    images = encode_originals(untouched, originals, 0.0, seed=0)
    curve, _, _ = learn(untouched, images, steps=steps, looks=looks)
    assert [look["step"] for look in curve.looks] == expected


def test_accumulated_batches_are_one_step_over_the_mean_of_all_their_images(untouched, originals, monkeypatch):
    """Losses (p_class - c)^2 instead of the denoiser's: the gradient of a step is written out by hand."""
    images = encode_originals(untouched, originals, 0.0, seed=0)
    batches, aims = [], torch.arange(10.0)

    def conditions_of(positions, generator):
        if generator is not None:
            batches.append(positions)
        return (parameter[images.labels[positions]] - aims[positions])[:, None, None]

    monkeypatch.setattr(denoising, "_losses", lambda _d, _s, _c, conditions, *_: conditions.flatten() ** 2)
    parameter = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    summed = []  # the gradient so far, after each batch
    parameter.register_post_accumulate_grad_hook(lambda each: summed.append(each.grad.clone()))
    settings = PersonalisationTraining(steps=3, batch_size=2, accumulation=3, learning_rate=0.1, looks=1)
    curve = optimise_denoising(untouched, [parameter], conditions_of, images, NAMES, settings, 0, "learning")
    assert len(batches) == 9  # three steps of three batches of two
    by_hand = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    optimiser, seen = torch.optim.AdamW([by_hand], lr=0.1), []
    for step in range(3):
        positions = torch.cat(batches[3 * step : 3 * step + 3])
        difference = by_hand.detach()[images.labels[positions]] - aims[positions]
        seen += (difference**2).tolist()
        by_hand.grad = torch.stack([(2 * difference)[images.labels[positions] == label].sum() / 6 for label in (0, 1)])
        assert torch.allclose(summed[3 * step + 2], by_hand.grad, rtol=1e-4)
        optimiser.step()
    assert torch.allclose(parameter, by_hand, atol=1e-5)
    assert curve.looks[-1]["train_loss"] == pytest.approx(sum(seen) / 18, rel=1e-5)  # 18 images in all


def test_gradient_checkpointing_changes_memory_and_not_what_is_learned(pristine_pipeline, device, originals):
    curves = []
    for checkpointing in (False, True):
        diffusion = Diffusion(copy.deepcopy(pristine_pipeline), "tiny", device)
        images = encode_originals(diffusion, originals, 0.2, seed=0)
        curve, matrices, _ = learn(diffusion, images, gradient_checkpointing=checkpointing)
        curves.append([*(look["held_out_loss"] for look in curve.looks), *matrices.flatten().tolist()])
        assert diffusion.pipeline.unet.is_gradient_checkpointing == checkpointing
    assert curves[1] == pytest.approx(curves[0], abs=1e-5)


def test_the_denoiser_keeps_no_gradients_of_weights_that_are_not_learned(pristine_pipeline, device, originals):
    diffusion = Diffusion(copy.deepcopy(pristine_pipeline), "tiny", device)
    images = encode_originals(diffusion, originals, 0.2, seed=0)
    learn(diffusion, images, steps=1)
    assert all(weights.grad is None for weights in diffusion.pipeline.unet.parameters())


@pytest.mark.parametrize(("held_out_share", "step"), [(0.2, 0), (0.0, 0)])
def test_latents_that_are_not_finite_stop_the_learning_and_name_the_class(
    untouched, originals, caplog, held_out_share, step
):
    images = encode_originals(untouched, originals, held_out_share, seed=0)
    images.latents[images.labels == 1] = float("nan")
    caplog.set_level(logging.WARNING)
    curve, matrices, start = learn(untouched, images)
    assert curve.diverged == f'class "blue", step {step}'
    assert f'learning: the loss is not finite (class "blue", step {step}); the state of step 0 is kept' in caplog.text
    assert torch.equal(matrices, start)


def test_one_broken_image_that_no_look_sees_is_named_with_the_step_that_met_it(untouched, originals):
    images = encode_originals(untouched, originals, 0.2, seed=0)
    images.latents[int(images.train[0])] = float("inf")  # of class red; the held-out images are whole
    curve, matrices, _ = learn(untouched, images, steps=50, looks=50, batch_size=1, patience=50)
    step = int(curve.diverged.removeprefix('class "red", step '))
    assert curve.looks[-1]["step"] == step - 1  # the steps before went well
    assert torch.isfinite(matrices).all()


@pytest.mark.parametrize("held_out_share", [0.2, 0.0])
@pytest.mark.parametrize("steps", [1, 20])
def test_a_rate_that_blows_up_leaves_the_last_good_state(untouched, originals, held_out_share, steps):
    """With one step it is the last look alone that can tell."""
    images = encode_originals(untouched, originals, held_out_share, seed=0)
    curve, matrices, start = learn(untouched, images, steps=steps, looks=steps, learning_rate=1e37, patience=20)
    assert re.fullmatch(r'class "(red|blue)", step 1', curve.diverged)
    assert [look["kept"] for look in curve.looks] == [True, False]
    assert curve.looks[-1]["held_out_loss"] is None  # what is not finite is no number
    assert torch.equal(matrices, start)


def test_a_denoiser_that_predicts_noise_is_taught_as_well(untouched, originals):
    noise = Diffusion(copy.deepcopy(untouched.pipeline), "tiny", untouched.device)
    noise.pipeline.scheduler.register_to_config(prediction_type="epsilon")
    images = encode_originals(noise, originals, 0.2, seed=0)
    by_noise, by_velocity = (learn(each, images)[0].looks[0]["held_out_loss"] for each in (noise, untouched))
    assert 0.1 < by_noise < 10
    assert by_noise != by_velocity


def test_a_gpu_out_of_memory_is_told_with_the_parameter_to_lower(diffusion, originals, monkeypatch):
    def full(*_, **__):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ...")

    images = encode_originals(diffusion, originals, 0.4, seed=0)
    lines = "^the GPU is out of memory .* lower the personalisation's training.batch_size and raise training.accumul"
    monkeypatch.setattr(diffusion.pipeline.unet, "forward", full)
    with pytest.raises(UserError, match=lines):
        learn(diffusion, images)
    monkeypatch.setattr(diffusion.pipeline.vae, "encode", full)
    with pytest.raises(UserError, match=lines):
        encode_originals(diffusion, originals, 0.4, seed=0)
