"""Pseudo-words as our production code learns them, of a few classes, and what such a word is worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from benchmarks.gpu_stages.photographs import jpegs
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.strategies.learned import Learned
from retrieval_vs_diffusion.strategies.personalise.textual_inversion import TextualInversion
from retrieval_vs_diffusion.strategies.source import Surroundings
from retrieval_vs_diffusion.training.denoising import encode_originals
from retrieval_vs_diffusion.training.personalisation import PersonalisationTraining

# Of diffusers' example: a learning rate and a word to start from that its documentation uses.
RATE, START = 5e-4, "toy"

_numbers: Iterator[int] = count()


@dataclass(frozen=True)
class ClassWords:
    """A word for each class, learned from a few images.

    Args:
        originals: labelled images.
        classes: how many there are.
        batch_size: image-steps of a step, of all classes.
    """

    originals: ImageTable
    classes: int
    batch_size: int

    @classmethod
    def of(cls, classes: int, images_a_class: int, side: int, batch_size: int) -> ClassWords:
        """With images made on the spot, of ``side`` pixels."""
        made = jpegs(classes * images_a_class, side)
        rows = [
            {"image_id": str(n), "content_hash": str(n), "image": {"bytes": data, "path": None}, "label": n % classes}
            for n, (data, _) in enumerate(made)
        ]
        return cls(ImageTable.from_rows(rows), classes, batch_size)

    def learn(self, diffusion: Diffusion, steps: int) -> Learned:
        """What a strategy's personalisation learns, its images encoded first; the same for the same steps."""
        training = PersonalisationTraining(
            steps=steps, batch_size=self.batch_size, learning_rate=RATE, looks=1, held_out_share=0
        )
        # New each time: a model can be taught a word but once.
        number = next(_numbers)
        names = tuple(f"class {label} of {number}" for label in range(self.classes))
        resources = {"diffusion": diffusion, "originals": self.originals}
        surroundings = Surroundings(names, "textual_inversion", ("gpu",), resources)
        return TextualInversion(initial_word=START, prompts=("a photo of a {name}",), training=training).learn(
            surroundings
        )

    def encoded(self, label: int) -> list[bytes]:
        """The images of a class."""
        return list(self._of(label).encoded())

    @torch.no_grad()
    def loss(self, diffusion: Diffusion, label: int, vectors: Float[Tensor, "v d"]) -> float:
        """The denoising loss of a class's images with a word, at noise that is the same for every word."""
        from diffusers import DDPMScheduler

        word = f"<word-{next(_numbers)}>"
        diffusion.add_words({word: vectors})
        images = self._of(label)
        clean = encode_originals(diffusion, images, 0, 0).latents.repeat(4, 1, 1, 1)
        times = torch.tensor([125, 375, 625, 875], device=clean.device).repeat_interleave(len(images))
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(clean)
        noisy = DDPMScheduler.from_config(diffusion.pipeline.scheduler.config).add_noise(clean, noise, times)
        shown = diffusion.encode(f"a photo of a {word}").expand(len(clean), -1, -1)
        predicted = diffusion.pipeline.unet(noisy, times, encoder_hidden_states=shown).sample
        return float(functional.mse_loss(predicted.float(), noise.float()))

    def _of(self, label: int) -> ImageTable:
        return self.originals.take((self.originals.labels() == label).nonzero()[0])


def vectors_of(learned: Learned) -> list[Float[Tensor, "v d"]]:
    """What was learned of each class."""
    return [next(iter(file.values())) for file in learned.files.values()]
