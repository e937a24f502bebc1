import torch

from retrieval_vs_diffusion.training.pretraining.photograph_looks import PhotographLooks


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_half_of_the_images_are_mirrored_and_the_others_stay():
    images = torch.rand(400, 3, 4, 4)
    changed = PhotographLooks(smallest_crop_area=1.0)(images, generator())
    same = (changed == images).flatten(1).all(1)
    mirrored = (changed == images.flip(-1)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 160 < int(mirrored.sum()) < 240  # 200 of 400; four deviations are 40


def test_a_crop_shows_a_part_of_the_image_in_its_full_size():
    ramp = torch.linspace(0, 1, 32).expand(64, 3, 32, 32)  # brightness is the place from left to right
    changed = PhotographLooks(smallest_crop_area=0.25, horizontal_flip=False)(ramp, generator())
    assert changed.shape == ramp.shape
    widths = changed[:, 0, 16, -1] - changed[:, 0, 16, 0]
    # of the width, sqrt(area * aspect): at most all, at least sqrt(0.25 * 3 / 4) = 0.43
    assert widths.max() <= 1
    assert widths.min() >= 0.43 - 1 / 32
    assert widths.std() > 0.05  # each its own


def test_without_crops_and_mirrors_nothing_changes_and_nothing_is_drawn():
    images, source = torch.rand(2, 3, 8, 8), generator()
    assert PhotographLooks(1.0, horizontal_flip=False)(images, source) is images
    assert torch.equal(source.get_state(), generator().get_state())
