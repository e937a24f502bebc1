"""What differs between families of diffusion models: how one is recognised, loaded, and told what to show."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.diffusion_families.single_file import SingleFile
from retrieval_vs_diffusion.models.safetensors_header import Header

# What a pipeline is told to show, by the names of its arguments, without the dimension of the batch.
Encoded = dict[str, torch.Tensor]


class Family(ABC):
    """A family of diffusion models; each is one module of this package with one subclass, listed in ``FAMILIES``.

    A family's pipeline takes ``height``, ``width``, ``num_inference_steps``, ``guidance_scale``, ``generator`` and
    ``output_type`` as Stable Diffusion's does, and for each name in an encoded prompt one that starts ``negative_``.

    Attributes:
        name: as people call it.
        pipeline: the class in diffusers; ``model_index.json`` gives it under ``_class_name``.
        image_to_image_pipeline: the class in diffusers that starts from an image.
        parts: subdirectories that a whole directory has.
        with_weights: those of them that hold weights.
        loading: further arguments of ``from_pretrained`` and ``from_single_file``.
        starting_from_image: further arguments of the pipeline that starts from an image.
        learns: whether an encoded prompt is one matrix and one text encoder knows the words, so that
            personalisations can be learned.
    """

    name: ClassVar[str]
    pipeline: ClassVar[str]
    image_to_image_pipeline: ClassVar[str]
    parts: ClassVar[tuple[str, ...]]
    with_weights: ClassVar[tuple[str, ...]]
    loading: ClassVar[Mapping[str, Any]] = {}
    starting_from_image: ClassVar[Mapping[str, Any]] = {}
    learns: ClassVar[bool] = False

    @abstractmethod
    def encode(self, pipeline: Any, prompt: str, device: torch.device) -> Encoded:
        """What the text encoders give for one prompt."""

    def without_prompt(self, pipeline: Any, empty: Encoded) -> Encoded:
        """What guidance leads away from where no negative prompt is given.

        Args:
            pipeline: whose model it is.
            empty: the encoded empty prompt.
        """
        del pipeline
        return empty

    def check_learns(self, what: str, checkpoint: str) -> None:
        """Check that personalisations can be learned.

        Args:
            what: is to be learned or used, in the plural.
            checkpoint: the model's name, for the error.

        Raises:
            UserError: if not.
        """
        if not self.learns:
            raise UserError(
                f"personalise: {what} are not for {self.name}, which {checkpoint} is; leave the strategy's personalise "
                "out, or bring Stable Diffusion 1.x or 2.x"
            )

    def single_file(self, path: Path, header: Header) -> SingleFile | None:
        """How a model of this family lies in one file; None if it is none of it.

        Raises:
            UserError: if it is of this family and is not supported.
        """
        del path, header
        return None

    def image_to_image(self, pipeline: Any) -> Any:
        """The same model as a pipeline that starts from an image."""
        import diffusers

        starting = getattr(diffusers, self.image_to_image_pipeline)(**pipeline.components, **self.starting_from_image)
        starting.set_progress_bar_config(disable=True)
        return starting
