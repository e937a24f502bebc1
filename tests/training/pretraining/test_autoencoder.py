import numpy as np
import pytest
import torch

from retrieval_vs_diffusion.training.pretraining.autoencoder import (
    _standardise,
    encode_all,
    to_autoencoder_input,
    train_autoencoder,
)
from retrieval_vs_diffusion.training.pretraining.settings import AutoencoderTraining

SETTINGS = AutoencoderTraining(channels=(8, 16), latent_channels=3, steps=6, batch_size=8)


@pytest.fixture(scope="module")
def pixels(pool) -> np.ndarray:
    return pool.pixels()[:40]


@pytest.fixture(scope="module")
def autoencoder(pixels, device):
    return train_autoencoder(pixels, SETTINGS, device, seed=0)


def test_pixels_become_numbers_from_minus_one_to_one():
    values = to_autoencoder_input(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 4, 5, 3))
    assert values.shape == (2, 3, 4, 5)
    assert (values[0].unique().item(), values[1].unique().item()) == (-1.0, 1.0)


def test_each_latent_channel_has_mean_zero_and_deviation_one(autoencoder, pixels):
    latents = encode_all(autoencoder, to_autoencoder_input(torch.from_numpy(pixels)))
    assert latents.shape == (40, 3, 8, 8)  # two levels: the second halves the image
    assert latents.mean(dim=(0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-4)
    assert latents.std(dim=(0, 2, 3)).tolist() == pytest.approx([1, 1, 1], abs=1e-4)
    assert autoencoder.config.scaling_factor == 1


def test_standardising_does_not_change_what_is_decoded(autoencoder, pixels):
    import copy

    changed, images = copy.deepcopy(autoencoder), to_autoencoder_input(torch.from_numpy(pixels[:8]))
    latents = torch.randn(200, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 3 + 2
    _standardise(changed, latents)  # as if the latents had another mean and deviation
    with torch.no_grad():
        before, after = autoencoder.encode(images).latent_dist, changed.encode(images).latent_dist
        assert after.mean == pytest.approx((before.mean - 2) / 3, abs=0.05)
        assert after.std == pytest.approx(before.std / 3, rel=0.05)
        assert changed.decode(after.mean).sample == pytest.approx(autoencoder.decode(before.mean).sample, abs=1e-4)


def test_the_seed_decides_every_weight(autoencoder, pixels, device):
    again, other = (train_autoencoder(pixels, SETTINGS, device, seed).state_dict() for seed in (0, 1))
    weights = autoencoder.state_dict()
    assert all(torch.equal(weights[key], again[key]) for key in weights)
    assert not torch.equal(weights["encoder.conv_in.weight"], other["encoder.conv_in.weight"])


def test_more_steps_bring_images_back_better(autoencoder, pixels, device):
    def error(autoencoder) -> float:
        images = to_autoencoder_input(torch.from_numpy(pixels))
        with torch.no_grad():
            return float(
                (autoencoder.decode(autoencoder.encode(images).latent_dist.mean).sample - images).pow(2).mean()
            )

    longer = train_autoencoder(pixels, SETTINGS.model_copy(update={"steps": 25}), device, seed=0)
    assert error(longer) < error(autoencoder)
