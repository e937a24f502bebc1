"""Images made from prompts alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies import prompts
from retrieval_vs_diffusion.strategies.generation import generated_rows
from retrieval_vs_diffusion.strategies.prompts import Templates
from retrieval_vs_diffusion.strategies.recipe import Recipe, recipes, sampling_of
from retrieval_vs_diffusion.strategies.source import Surroundings

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.diffusion import Diffusion


@part
class TextToImage:
    """Text-to-image (He et al. 2022; the study's Stable Diffusion rows).

    Args:
        prompts: templates, filled with the class's name and used in turn, or the name of one of open_clip's
            ensembles; a strategy with a personalisation puts what was learned in the name's place.
        sampling: overrides of the world's sampling.
    """

    prompts: Templates = ("a photo of a {name}",)
    sampling: Sampling = field(default_factory=Sampling)  # what is set here overrides the world's

    @property
    def needs(self) -> tuple[str, ...]:
        """The model and how it is sampled."""
        return ("diffusion", "sampling")

    @property
    def class_fields(self) -> tuple[str, ...]:
        """What the templates ask for."""
        return prompts.fields_used(self.prompts)

    def propose(
        self, wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
    ) -> Iterator[dict[str, Any]]:
        """Yield one image for each class and number asked for."""
        diffusion, sampling = surroundings.resources["diffusion"], sampling_of(self.sampling, surroundings)
        todo = recipes(self.prompts, wanted, first, surroundings)
        parents = [None] * len(todo)
        draw = _Drawn(diffusion, sampling)
        yield from generated_rows(draw, todo, sampling, diffusion, surroundings, parents, generator="text_to_image")


@dataclass(frozen=True)
class _Drawn:
    """Images of recipes, in their order."""

    diffusion: Diffusion
    sampling: Sampling

    def __call__(self, chosen: Sequence[Recipe]) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        conditions, seeds = [each.condition for each in chosen], [each.seed for each in chosen]
        return self.diffusion.text_to_image(conditions, seeds, self.sampling)
