"""Images made by partly noising and denoising others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from jaxtyping import Int, UInt8
from pydantic import Field

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies import prompts
from retrieval_vs_diffusion.strategies.generation import generated_rows
from retrieval_vs_diffusion.strategies.prompts import Templates
from retrieval_vs_diffusion.strategies.recipe import Recipe, recipes, sampling_of
from retrieval_vs_diffusion.strategies.source import Surroundings

if TYPE_CHECKING:
    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.models.diffusion import Diffusion


@part
class ImageToImage:
    """Image to image (SDEdit, Meng et al. 2021; arXiv 2108.01073) from each class's images in turn.

    With a weak strength and an empty prompt this is Boomerang (Luzi et al. 2022); with the class prompt
    and more noise, Real Guidance (He et al. 2022); with a pseudo-word, DA-Fusion (Trabucco et al. 2023).

    Args:
        strength: how far into the noise, in (0, 1].
        start_from: the class's ``originals``, or the images of the ``previous_step``, which are replaced.
        prompts: templates, filled with the class's name and used in turn.
        sampling: overrides of the world's sampling.
    """

    strength: Annotated[float, Field(gt=0, le=1)]
    start_from: Literal["originals", "previous_step"] = "originals"
    prompts: Templates = ("",)
    sampling: Sampling = field(default_factory=Sampling)  # what is set here overrides the world's

    @property
    def needs(self) -> tuple[str, ...]:
        """The model, how it is sampled, and where it starts from."""
        return ("diffusion", "sampling", *(["originals"] if self.start_from == "originals" else []))

    @property
    def class_fields(self) -> tuple[str, ...]:
        """What the templates ask for."""
        return prompts.fields_used(self.prompts)

    @property
    def consumes_previous(self) -> bool:
        """Whether the images of the step before are replaced by those made from them."""
        return self.start_from == "previous_step"

    def propose(
        self, wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
    ) -> Iterator[dict[str, Any]]:
        """Yield one image for each class and number asked for; number k starts from image k in turn.

        A class without any image to start from gets none.
        """
        diffusion, sampling = surroundings.resources["diffusion"], sampling_of(self.sampling, surroundings)
        starts = surroundings.previous if self.consumes_previous else surroundings.resources["originals"]
        if starts is None:
            raise ValueError("image to image was to start from an earlier step's images, and there is none")
        labels = starts.labels()
        members = {label: np.flatnonzero(labels == label) for label in wanted}
        possible = {label: count for label, count in wanted.items() if len(members[label])}
        todo = recipes(self.prompts, possible, first, surroundings)
        draw = _Drawn(diffusion, sampling, self.strength, starts, members)
        known = starts.column("image_id")
        ids = [known[draw.start(each)] for each in todo]
        how = {"generator": "image_to_image", "strength": self.strength}
        yield from generated_rows(draw, todo, sampling, diffusion, surroundings, ids, **how)


@dataclass(frozen=True)
class _Drawn:
    """Images of recipes, in their order, each made from an image of its class.

    Args:
        members: rows of ``starts`` of each class.
    """

    diffusion: Diffusion
    sampling: Sampling
    strength: float
    starts: ImageTable
    members: Mapping[int, Int[np.ndarray, " n"]]

    def start(self, recipe: Recipe) -> int:
        """The row of the image that one is made from."""
        rows = self.members[recipe.label]
        return int(rows[recipe.number % len(rows)])

    def __call__(self, chosen: Sequence[Recipe]) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        starts = self.starts.take([self.start(each) for each in chosen])
        return self.diffusion.image_to_image(
            [each.condition for each in chosen],
            [codec.decode(data) for data in starts.encoded()],
            self.strength,
            [each.seed for each in chosen],
            self.sampling,
        )
