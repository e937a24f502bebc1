"""Strong augmentation of training images: RandAugment or TrivialAugment of each, CutMix of a batch.

The transforms are torchvision's. They draw from torch's global generator, which is put back as it was
after each use: whatever else draws from it, such as dropout, is the same with them and without.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torchvision.transforms import v2

from retrieval_vs_diffusion.training.share import Share

_FILL = 128  # mid-grey, which the classifier's normalisation takes to zero
_WIDEST_SHIFT = 32  # pixels; TrivialAugment's, made for images of 32 pixels and more


class _TrivialAugment(v2.TrivialAugmentWide):
    """TrivialAugment with no shift wider than the image.

    Its shifts of up to 32 pixels are the whole width of a CIFAR image, the smallest kind that it was
    made for. Smaller images would be pushed out of the picture by most of them.
    """

    _AUGMENTATION_SPACE = {  # noqa: RUF012  (an attribute of torchvision's)
        **v2.TrivialAugmentWide._AUGMENTATION_SPACE,
        "TranslateX": (lambda bins, height, width: torch.linspace(0, min(_WIDEST_SHIFT, width), bins), True),
        "TranslateY": (lambda bins, height, width: torch.linspace(0, min(_WIDEST_SHIFT, height), bins), True),
    }


def change_each_image(
    pixels: UInt8[Tensor, "b h w 3"],
    augmentation: Literal["none", "rand_augment", "trivial_augment"],
    magnitude: int,
    generator: torch.Generator,
    share: Share | None = None,
) -> UInt8[Tensor, "b h w 3"]:
    """Change the colours or the geometry of each image, each in a way of its own.

    Args:
        pixels: a batch of 0 to 255.
        augmentation: ``rand_augment`` makes two changes of one magnitude (Cubuk et al. 2020, arXiv
            1909.13719), ``trivial_augment`` one of a random magnitude in a wide range (Müller and Hutter
            2021, arXiv 2103.10158); ``none`` gives the batch back and draws nothing.
        magnitude: of ``rand_augment``, 0 to 30.
        generator: source of randomness, on the CPU.
        share: which images of a batch these are; each is changed as it is where the whole batch is given.
    """
    if augmentation == "none":
        return pixels
    smooth = v2.InterpolationMode.BILINEAR
    if augmentation == "rand_augment":
        change: v2.Transform = v2.RandAugment(magnitude=magnitude, interpolation=smooth, fill=_FILL)
    else:
        change = _TrivialAugment(interpolation=smooth, fill=_FILL)
    share = share or Share.whole(len(pixels))
    images = iter(pixels.permute(0, 3, 1, 2))
    in_its_place = pixels.new_zeros(3, 1, 1)  # of an image that another process has: as much is drawn for it
    changed = []
    with _global_draws_from(generator):
        for position in range(share.of):
            if position in share:
                changed.append(change(next(images)))
            else:
                change(in_its_place)
    return torch.stack(changed).permute(0, 2, 3, 1)


def cut_and_mix(
    images: Float[Tensor, "b c h w"],
    labels: Int[Tensor, " b"],
    classes: int,
    probability: float,
    alpha: float,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b k"]]:
    """Paste a box of another image of the batch into each (CutMix; Yun et al. 2019, arXiv 1905.04899).

    Args:
        images: a batch.
        labels: their classes.
        classes: number of classes, k.
        probability: that the batch is mixed at all.
        alpha: of Beta(alpha, alpha), from which the share of the area that stays is drawn.
        generator: source of randomness, on the CPU.

    Returns:
        The images in another order, and for each the share of its area that shows each class.
    """
    with _global_draws_from(generator):
        if torch.rand(()) >= probability:
            return images, torch.nn.functional.one_hot(labels, classes).to(images.dtype)
        # torchvision mixes each image with its neighbour, and in a batch all originals stand before all
        # added images: without shuffling hardly any original would meet an added one.
        order = torch.randperm(len(labels)).to(labels.device)
        return v2.CutMix(alpha=alpha, num_classes=classes)(images[order], labels[order])


@contextmanager
def _global_draws_from(generator: torch.Generator) -> Iterator[None]:
    """Let torch's global generator on the CPU draw from a seed of ``generator``'s, and put it back after."""
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed the GPU's
        yield
