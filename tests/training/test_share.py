"""What several processes make of their shares of a batch is what one makes of the whole, to the bit."""

from __future__ import annotations

import pytest
import torch

from retrieval_vs_diffusion.training.augmentation import random_resized_crop
from retrieval_vs_diffusion.training.share import Share
from retrieval_vs_diffusion.training.strong_augmentation import change_each_image

WHOLE = Share.whole(40)
THREE = [Share.of_process(rank, 3, 40) for rank in range(3)]


def pixels() -> torch.Tensor:
    return torch.randint(0, 256, (40, 16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_shares_follow_each_other_and_differ_by_one_at_most():
    assert [(each.first, each.number) for each in THREE] == [(0, 13), (13, 13), (26, 14)]  # 40 of 40
    assert [position for each in THREE for position in range(40) if position in each] == list(range(40))


@pytest.mark.parametrize("augmentation", ["rand_augment", "trivial_augment"])
def test_each_image_is_changed_as_in_the_whole_batch_and_as_much_is_drawn(augmentation):
    def change(share: Share) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(7)
        changed = change_each_image(pixels()[share.positions], augmentation, 9, generator, share)
        return changed, torch.rand(3, generator=generator)

    whole, next_drawn = change(WHOLE)
    assert not torch.equal(whole, pixels())
    parts = [change(share) for share in THREE]
    assert torch.equal(torch.cat([changed for changed, _ in parts]), whole)
    assert all(torch.equal(drawn, next_drawn) for _, drawn in parts)


def test_each_image_is_cropped_as_in_the_whole_batch():
    images = pixels().permute(0, 3, 1, 2).float()

    def crop(share: Share) -> torch.Tensor:
        return random_resized_crop(images[share.positions], 0.3, torch.Generator().manual_seed(7), share)

    assert torch.equal(torch.cat([crop(share) for share in THREE]), crop(WHOLE))
