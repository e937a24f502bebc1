"""Random changes to photographs that leave their class as it is: crops and mirror images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from retrieval_vs_diffusion.training.augmentation import random_resized_crop


@dataclass(frozen=True)
class PhotographLooks:
    """Crops and mirror images, each image its own.

    Args:
        smallest_crop_area: least share of the area that a random resized crop keeps, in (0, 1]; 1 for no crop.
        horizontal_flip: mirror half of the images.
    """

    smallest_crop_area: float = 0.5
    horizontal_flip: bool = True

    def __call__(self, images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
        """Change a batch; without crops and flips it stays as it is and nothing is drawn."""
        if self.smallest_crop_area < 1:
            cropped = random_resized_crop(images, self.smallest_crop_area, generator)
            images = cropped.contiguous(memory_format=torch.channels_last)  # convolutions are faster so on a CPU
        if self.horizontal_flip:
            mirrored = torch.rand(len(images), 1, 1, 1, generator=generator).to(images.device) < 0.5
            images = torch.where(mirrored, images.flip(-1), images)
        return images
