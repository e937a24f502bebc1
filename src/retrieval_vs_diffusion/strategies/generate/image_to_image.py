"""Images made by partly noising and denoising others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies import prompts
from retrieval_vs_diffusion.strategies.prompts import Templates
from retrieval_vs_diffusion.strategies.recipe import generated_rows, recipes, sampling_of
from retrieval_vs_diffusion.strategies.source import Surroundings


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
        parents = [int(members[each.label][each.number % len(members[each.label])]) for each in todo]

        def make(batch: range) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
            chosen = [todo[position] for position in batch]
            return diffusion.image_to_image(
                [each.condition for each in chosen],
                [codec.decode(data) for data in starts.take([parents[position] for position in batch]).encoded()],
                self.strength,
                [each.seed for each in chosen],
                sampling,
            )

        known = starts.column("image_id")
        ids = [known[parent] for parent in parents]
        how = {"generator": "image_to_image", "strength": self.strength}
        yield from generated_rows(make, todo, sampling, diffusion, surroundings, ids, **how)
