"""Images made by partly noising and denoising others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.image_table import image_row
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies.prompts import Templates
from retrieval_vs_diffusion.strategies.recipe import recipes, sampling_of
from retrieval_vs_diffusion.strategies.source import Surroundings


@part
class ImageToImage:
    """Image to image from the class's originals in turn (SDEdit, Meng et al. 2021).

    With a weak strength and an empty prompt this is Boomerang (Luzi et al. 2022); with the class prompt
    and more noise, Real Guidance (He et al. 2022); with a pseudo-word, DA-Fusion (Trabucco et al. 2023).

    Args:
        strength: how far into the noise, in (0, 1].
        prompts: templates, filled with the class's name and used in turn.
        sampling: overrides of the world's sampling.
    """

    strength: Annotated[float, Field(gt=0, le=1)]
    prompts: Templates = ("",)
    sampling: Sampling = field(default_factory=Sampling)  # what is set here overrides the world's
    needs: ClassVar[tuple[str, ...]] = ("diffusion", "sampling", "originals")

    def propose(
        self, wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
    ) -> Iterator[dict[str, Any]]:
        """Yield one image for each class and number asked for; number k starts from original k in turn."""
        diffusion, sampling = surroundings.resources["diffusion"], sampling_of(self.sampling, surroundings)
        originals = surroundings.resources["originals"]
        labels = originals.labels()
        todo = recipes(self.prompts, wanted, first, surroundings)
        members = {label: np.flatnonzero(labels == label) for label in wanted}
        parents = [originals.row(int(members[each.label][each.number % len(members[each.label])])) for each in todo]
        images = diffusion.image_to_image(
            [recipe.prompt for recipe in todo],
            [codec.decode(parent["image"]["bytes"]) for parent in parents],
            self.strength,
            [recipe.seed for recipe in todo],
            sampling,
            f"{surroundings.strategy}: generating (batches)",
        )
        for recipe, parent, pixels in zip(todo, parents, images, strict=True):
            made_from = {"prompt": recipe.prompt, "seed": recipe.seed, "checkpoint": diffusion.checkpoint}
            source = f"image_to_image, strength {self.strength}"
            yield image_row(
                pixels, recipe.image_id, label=recipe.label, source=source, parent=parent["image_id"], **made_from
            )
