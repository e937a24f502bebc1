import numpy as np
import pytest
import torch
from PIL import Image

from retrieval_vs_diffusion.training.augmentation import draw_crops
from retrieval_vs_diffusion.training.resized_crop import draw_boxes, resized_crops


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(n: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("smallest", [0.05, 0.25, 1.0])
def test_boxes_lie_within_the_image_and_have_the_shares_that_were_drawn(smallest):
    top, left, height, width, mirrored = draw_boxes(2000, 100, smallest, True, generator()).T
    assert min(top.min(), left.min()) >= 0
    assert max((top + height).max(), (left + width).max()) <= 100
    across, down, _, _ = draw_crops(2000, smallest, generator())
    assert torch.equal(width, (across * 100).round().long())
    assert torch.equal(height, (down * 100).round().long())
    assert 0.45 < mirrored.float().mean() < 0.55
    if smallest < 1:  # both ends are reached: the crop may lie anywhere
        assert top.min() == left.min() == 0
        assert (top + height).max() == (left + width).max() == 100


def test_without_flips_nothing_is_mirrored_and_the_same_seed_draws_the_same():
    boxes = draw_boxes(50, 64, 0.2, False, generator())
    assert boxes[:, 4].sum() == 0
    assert torch.equal(boxes, draw_boxes(50, 64, 0.2, False, generator()))
    assert not torch.equal(boxes, draw_boxes(50, 64, 0.2, False, generator(1)))


def test_the_whole_image_stays_as_it_is_and_is_mirrored_where_the_box_says_so():
    images = noise(2, 32)
    cropped = resized_crops(images, torch.tensor([[0, 0, 32, 32, 0], [0, 0, 32, 32, 1]])).numpy()
    assert np.array_equal(cropped[0], images[0])
    assert np.array_equal(cropped[1], images[1][:, ::-1])


def test_a_crop_is_what_pillow_makes_of_it():
    images = noise(3, 96)
    boxes = torch.tensor([[10, 20, 50, 60, 0], [0, 1, 95, 95, 1], [40, 3, 7, 9, 0]])
    for image, cropped, (top, left, height, width, mirrored) in zip(
        images, resized_crops(images, boxes).numpy(), boxes.tolist(), strict=True
    ):
        piece = Image.fromarray(image).crop((left, top, left + width, top + height))
        expected = np.asarray(piece.resize((96, 96), Image.Resampling.BILINEAR))
        expected = expected[:, ::-1] if mirrored else expected
        assert np.abs(cropped.astype(int) - expected).max() <= 1  # of 255: both round once a direction
