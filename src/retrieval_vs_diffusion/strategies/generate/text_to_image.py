"""Images made from prompts alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, ClassVar

from retrieval_vs_diffusion.images.image_table import image_row
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies.prompts import Templates
from retrieval_vs_diffusion.strategies.recipe import Recipe, recipes, sampling_of
from retrieval_vs_diffusion.strategies.source import Surroundings


@part
class TextToImage:
    """Text-to-image (He et al. 2022; the study's Stable Diffusion rows).

    Args:
        prompts: templates, filled with the class's name and used in turn; a strategy with a
            personalisation fills in its pseudo-word.
        sampling: overrides of the world's sampling.
    """

    prompts: Templates = ("a photo of a {name}",)
    sampling: Sampling = field(default_factory=Sampling)  # what is set here overrides the world's
    needs: ClassVar[tuple[str, ...]] = ("diffusion", "sampling")

    def propose(
        self, wanted: Mapping[int, int], first: Mapping[int, int], surroundings: Surroundings
    ) -> Iterator[dict[str, Any]]:
        """Yield one image for each class and number asked for."""
        diffusion, sampling = surroundings.resources["diffusion"], sampling_of(self.sampling, surroundings)
        todo = recipes(self.prompts, wanted, first, surroundings)
        description = f"{surroundings.strategy}: generating (batches)"
        images = diffusion.text_to_image(
            [recipe.prompt for recipe in todo], [recipe.seed for recipe in todo], sampling, description
        )
        for recipe, pixels in zip(todo, images, strict=True):
            yield _row(pixels, recipe, diffusion.checkpoint)


def _row(pixels: Any, recipe: Recipe, checkpoint: str) -> dict[str, Any]:
    made_from = {"prompt": recipe.prompt, "seed": recipe.seed, "checkpoint": checkpoint}
    return image_row(pixels, recipe.image_id, label=recipe.label, source="text_to_image", **made_from)
