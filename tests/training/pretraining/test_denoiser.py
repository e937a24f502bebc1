import copy

import torch

from retrieval_vs_diffusion.training.pretraining.denoiser import train_denoiser
from retrieval_vs_diffusion.training.pretraining.settings import DenoiserTraining


def train(pool, pristine_pipeline, device, steps: int, seed: int = 0, **settings):
    """Train a UNet for the tiny pipeline's autoencoder and text encoder, which stay as they are."""
    parts = copy.deepcopy([pristine_pipeline.vae, pristine_pipeline.text_encoder])
    shape = DenoiserTraining(channels=(8, 16), steps=steps, batch_size=8, **settings)
    captions = pool.column("caption")[:40]
    return train_denoiser(pool.pixels()[:40], captions, *parts, pristine_pipeline.tokenizer, shape, device, seed)


def test_the_result_is_a_whole_pipeline_that_predicts_velocity(pool, pristine_pipeline, device):
    pipeline = train(pool, pristine_pipeline, device, steps=1)
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    assert pipeline.unet.config.sample_size == 8  # latents of 16-pixel images, halved once
    assert pipeline.unet.config.cross_attention_dim == pipeline.text_encoder.config.hidden_size
    assert pipeline.safety_checker is None
    assert not pipeline.unet.training


def test_only_the_unet_is_trained(pool, pristine_pipeline, device):
    pipeline = train(pool, pristine_pipeline, device, steps=2)
    for part in ("vae", "text_encoder"):
        before, after = getattr(pristine_pipeline, part).state_dict(), getattr(pipeline, part).state_dict()
        assert all(torch.equal(before[key], after[key]) for key in before)


def test_the_seed_decides_every_weight(pool, pristine_pipeline, device):
    one, same, other = (train(pool, pristine_pipeline, device, 2, seed).unet.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["conv_in.weight"], other["conv_in.weight"])


def test_the_weights_are_a_slow_average_of_those_trained(pool, pristine_pipeline, device):
    slow, quick = (
        train(pool, pristine_pipeline, device, 4, average_decay=decay).unet.state_dict() for decay in (0.99, 0.01)
    )
    start = train(pool, pristine_pipeline, device, 1, learning_rate=1e-12).unet.state_dict()

    def moved(weights) -> float:
        return float((weights["conv_in.weight"] - start["conv_in.weight"]).abs().mean())

    assert 0 < moved(slow) < moved(quick)
