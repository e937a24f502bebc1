import pytest
import torch

from retrieval_vs_diffusion.training.augmentation import ManyLooks, random_resized_crop


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp(n: int = 64) -> torch.Tensor:
    """Pictures [n, 2, 16, 16] whose two channels are the x and y of each pixel, in [0, 1]."""
    axis = (torch.arange(16) + 0.5) / 16
    return torch.stack([axis[None, :].expand(16, 16), axis[:, None].expand(16, 16)]).expand(n, 2, 16, 16)


def kept_area(crops: torch.Tensor) -> torch.Tensor:
    """Share of the area that each crop of a ramp shows: width x height between its first and last pixel."""
    width = (crops[:, 0, :, -1] - crops[:, 0, :, 0])[:, 8] * 16 / 15  # 16 pixels are 15 steps
    height = (crops[:, 1, -1, :] - crops[:, 1, 0, :])[:, 8] * 16 / 15
    return width * height


def test_a_crop_has_the_shape_of_the_whole():
    images = torch.rand(3, 3, 12, 20)
    assert random_resized_crop(images, 0.5, generator()).shape == images.shape


@pytest.mark.parametrize("smallest", [0.3, 0.5, 0.8])
def test_no_crop_keeps_less_than_the_smallest_area(smallest):
    area = kept_area(random_resized_crop(ramp(500), smallest, generator()))
    assert smallest - 0.06 < area.min() < smallest + 0.06  # the ramp is clamped half a pixel from the border
    assert area.max() > 0.85


def test_a_crop_of_the_whole_area_changes_nothing():
    images = torch.rand(20, 3, 16, 16)
    assert torch.allclose(random_resized_crop(images, 1.0, generator()), images, atol=1e-5)


def test_each_image_has_a_crop_of_its_own_which_the_generator_decides():
    one, same, other = (random_resized_crop(ramp(8), 0.5, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert len({crop.numpy().tobytes() for crop in one}) == 8


def test_a_crop_invents_no_colours():
    crops = random_resized_crop(ramp(200), 0.3, generator())
    assert crops.min() >= 0.5 / 16 - 1e-6  # the ramp's first pixel
    assert crops.max() <= 15.5 / 16 + 1e-6  # and its last


def test_many_looks_keep_shape_and_range():
    images = torch.rand(64, 3, 16, 20, generator=generator())
    changed = ManyLooks()(images, generator())
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_many_looks_differ_and_follow_the_generator():
    images = torch.full((8, 3, 16, 16), 0.2)
    images[:, :, 4:12, 4:12] = 0.9
    one, same, other = (ManyLooks()(images, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert len({picture.numpy().tobytes() for picture in one}) == 8


def test_the_share_of_grey_pictures_is_the_one_asked_for():
    colour = torch.zeros(1000, 3, 8, 8)
    colour[:, 0] = 0.8
    quiet = {"invert_share": 0.0, "noise": 0.0, "gradient": 0.0}
    for share in (0.0, 0.5, 1.0):
        changed = ManyLooks(grey_share=share, **quiet)(colour, generator())
        grey = (changed[:, 0] - changed[:, 1]).abs().amax(dim=(1, 2)) < 1e-4
        assert grey.float().mean() == pytest.approx(share, abs=0.05)  # 1,000 draws: three deviations are 0.047


def test_a_look_without_changes_is_the_image():
    still = {"rotation": 0.0, "shear": 0.0, "scale": (1.0, 1.0), "shift": 0.0, "contrast": (1.0, 1.0)}
    plain = ManyLooks(**still, grey_share=0, invert_share=0, gradient=0, noise=0)
    flat = torch.full((4, 3, 8, 8), 0.3)  # a blur leaves it as it is
    assert torch.allclose(plain(flat, generator()), flat, atol=1e-5)
