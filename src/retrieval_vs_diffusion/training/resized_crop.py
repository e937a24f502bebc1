"""Random crops as torchvision makes them, of whole pixels and antialiased, on a CPU thread of their own."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor
from torch.nn import functional

from retrieval_vs_diffusion.training.augmentation import draw_crops


def draw_boxes(n: int, size: int, smallest_area: float, flip: bool, generator: torch.Generator) -> Int[Tensor, "n 5"]:
    """Draw crops of the same shares and shapes as ``random_resized_crop`` does, rounded to whole pixels.

    Args:
        n: how many.
        size: pixels a side of the images.
        smallest_area: least share of the area that is kept, in (0, 1].
        flip: whether half of them are mirrored.
        generator: source of randomness, on the CPU.

    Returns:
        Of each: top, left, height and width in pixels, and 1 where it is to be mirrored.
    """
    width, height, x, y = draw_crops(n, smallest_area, generator)
    columns, rows = ((size * share).round().clamp(min=1).long() for share in (width, height))
    left, top = (
        torch.minimum((size * (centre + 1 - share) / 2).round().long(), size - length)
        for centre, share, length in ((x, width, columns), (y, height, rows))
    )
    mirrored = torch.rand(n, generator=generator) < 0.5 if flip else torch.zeros(n, dtype=torch.bool)
    return torch.stack([top, left, rows, columns, mirrored.long()], dim=1)


def resized_crops(images: UInt8[np.ndarray, "n s s 3"], boxes: Int[Tensor, "n 5"]) -> UInt8[Tensor, "n s s 3"]:
    """Each image's crop at the whole size: bilinear and antialiased, in 8 bits, as Pillow resizes.

    One image at a time on the thread that calls, so that training keeps its own threads; an eighth of what sampling the
    same crops in floating point takes.

    Args:
        images: a batch.
        boxes: as ``draw_boxes`` gives them.
    """
    cropped = np.empty_like(images)
    size = images.shape[1]
    for number, (top, left, height, width, mirrored) in enumerate(boxes.tolist()):
        piece = np.ascontiguousarray(images[number, top : top + height, left : left + width])
        piece = piece.reshape(1, height, width, 3)  # with strides by which torch sees channels last: 3 times faster
        channels_last = torch.from_numpy(piece).permute(0, 3, 1, 2)  # 8 bits in this layout are resized fastest
        whole = functional.interpolate(channels_last, (size, size), mode="bilinear", antialias=True)
        pixels = whole[0].permute(1, 2, 0).numpy()
        cropped[number] = pixels[:, ::-1] if mirrored else pixels
    return torch.from_numpy(cropped)
