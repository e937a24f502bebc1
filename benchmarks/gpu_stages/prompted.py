"""What both sides of the generation rows are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

STRENGTH = 0.5  # of image to image: half the steps are made

Image = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True)
class Prompted:
    """Prompts, each with its seed and the image that image to image starts from.

    Args:
        prompts: of several classes, no two alike.
        seeds: of each image's noise, which is drawn on the CPU.
        starts: images of the model's size.
        steps: of the scheduler.
        guidance_scale: of classifier-free guidance.
    """

    prompts: list[str]
    seeds: list[int]
    starts: list[Image]
    steps: int
    guidance_scale: float = 7.5

    def __len__(self) -> int:
        return len(self.prompts)

    def first(self, n: int) -> Prompted:
        """The first ones."""
        return self._part(slice(0, n))

    def one_by_one(self) -> Iterator[Prompted]:
        """Each alone."""
        return (self._part(slice(number, number + 1)) for number in range(len(self)))

    def _part(self, part: slice) -> Prompted:
        return replace(self, prompts=self.prompts[part], seeds=self.seeds[part], starts=self.starts[part])
