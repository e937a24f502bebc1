"""Random changes to batches of training images, a batch at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from retrieval_vs_diffusion.training.share import Share


def random_resized_crop(
    images: Float[Tensor, "n c h w"], smallest_area: float, generator: torch.Generator, share: Share | None = None
) -> Float[Tensor, "n c h w"]:
    """Crop a random share of each image's area, of aspect 3/4 to 4/3, and resize it to the whole.

    The augmentation of the study's protocol (Szegedy et al. 2015), each image its own crop.

    Args:
        images: a batch.
        smallest_area: least share of the area that is kept, in (0, 1].
        generator: source of randomness, on the CPU.
        share: which images of a batch these are; each is cropped as it is where the whole batch is given.
    """
    share = share or Share.whole(len(images))
    width, height, x, y = (drawn[share.positions] for drawn in draw_crops(share.of, smallest_area, generator))
    zero = torch.zeros(len(images))
    affine = torch.stack([torch.stack([width, zero, x], -1), torch.stack([zero, height, y], -1)], 1)
    grid = functional.affine_grid(affine.to(images.device), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False, padding_mode="border")


def draw_crops(
    n: int, smallest_area: float, generator: torch.Generator
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Draw crops: width and height as shares of the image's, and the centre, of which the image goes from -1 to 1.

    Args:
        n: how many.
        smallest_area: least share of the area that is kept, in (0, 1].
        generator: source of randomness, on the CPU.
    """
    area = smallest_area + (1 - smallest_area) * torch.rand(n, generator=generator)
    # Of width to height, so that a crop of this area fits into the image: both sides are at most 1.
    widest = (-area.log()).clamp(max=math.log(4 / 3))
    aspect = torch.exp((torch.rand(n, generator=generator) * 2 - 1) * widest)
    width, height = (area * aspect).sqrt(), (area / aspect).sqrt()
    x = (torch.rand(n, generator=generator) * 2 - 1) * (1 - width)
    y = (torch.rand(n, generator=generator) * 2 - 1) * (1 - height)
    return width, height, x, y


@dataclass(frozen=True)
class ManyLooks:
    """Changes so strong that a network trained with them knows a class in looks it never saw.

    Used for the judge, which must recognise target-like images without having seen one. Each image is
    rotated, sheared, scaled and moved; its contrast is lowered, its colours are taken away or turned
    round, it is lit unevenly, blurred and made noisy.
    """

    rotation: float = 15.0  # degrees either way
    shear: float = 0.6
    scale: tuple[float, float] = (0.65, 1.15)  # size of the digit in the picture
    shift: float = 0.2  # of half the width
    contrast: tuple[float, float] = (0.25, 1.0)
    grey_share: float = 0.5
    invert_share: float = 0.3
    gradient: float = 0.2
    noise: float = 0.08

    def __call__(self, images: Float[Tensor, "n 3 h w"], generator: torch.Generator) -> Float[Tensor, "n 3 h w"]:
        """Change a batch of images in [0, 1]."""
        n, _, height, width = images.shape

        def uniform(low: float, high: float) -> Float[Tensor, " n"]:
            return low + (high - low) * torch.rand(n, generator=generator)

        angle = torch.deg2rad(uniform(-self.rotation, self.rotation))
        scale, shear = 1 / uniform(*self.scale), uniform(-self.shear, self.shear)
        cos, sin = angle.cos() * scale, angle.sin() * scale
        x, y = uniform(-self.shift, self.shift), uniform(-self.shift, self.shift)
        rows = [torch.stack([cos - shear * sin, sin + shear * cos, x], -1), torch.stack([-sin, cos, y], -1)]
        grid = functional.affine_grid(torch.stack(rows, 1), [n, 3, height, width], align_corners=False)
        images = functional.grid_sample(images, grid, align_corners=False, padding_mode="border")

        column = (n, 1, 1, 1)
        grey = images.mean(1, keepdim=True).expand_as(images)
        images = torch.where((uniform(0, 1) < self.grey_share).view(column), grey, images)
        images = torch.where((uniform(0, 1) < self.invert_share).view(column), 1 - images, images)
        border = images[:, :, 0, :].mean(-1)[..., None, None]
        images = border + (images - border) * uniform(*self.contrast).view(column)
        blurred = functional.avg_pool2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        images = torch.lerp(images, blurred, uniform(0, 1).view(column))
        across, down = torch.linspace(-1, 1, width), torch.linspace(-1, 1, height)
        light = (
            uniform(-1, 1).view(n, 1, 1) * across[None, None, :] + uniform(-1, 1).view(n, 1, 1) * down[None, :, None]
        )
        noise = torch.randn(images.shape, generator=generator) * uniform(0, self.noise).view(column)
        return (images + self.gradient / math.sqrt(2) * light[:, None] + noise).clamp(0, 1)
