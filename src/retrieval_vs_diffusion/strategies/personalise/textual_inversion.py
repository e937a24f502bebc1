"""Textual inversion: a pseudo-word a class is learned from its images."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies import prompts
from retrieval_vs_diffusion.strategies.conditions import ClassPrompts, Conditions
from retrieval_vs_diffusion.strategies.prompts import Templates
from retrieval_vs_diffusion.strategies.source import Surroundings
from retrieval_vs_diffusion.training.personalisation import PersonalisationTraining

if TYPE_CHECKING:
    from retrieval_vs_diffusion.models.diffusion import Diffusion
    from retrieval_vs_diffusion.strategies.learned import Learned


@part
class TextualInversion:
    """One pseudo-word a class, all classes optimised together (Gal et al. 2022; arXiv 2208.01618).

    Only the new words' vectors change. Each file that is saved holds one word as diffusers'
    ``load_textual_inversion`` reads it.

    Args:
        vectors: token embeddings of each pseudo-word.
        initial_word: what each word starts from; null for its class's name.
        prompts: templates in which the pseudo-words are learned.
        training: steps, rate, early stopping.
    """

    vectors: Annotated[int, Field(ge=1)] = 1
    initial_word: str | None = None
    prompts: Templates = ("a photo of a {name}", "a picture of a {name}", "a {name}")
    training: PersonalisationTraining = field(default_factory=PersonalisationTraining)

    def __post_init__(self) -> None:
        """Refuse templates in which the pseudo-word would not stand."""
        for template in self.prompts:
            if "name" not in prompts.fields_used([template]):
                raise UserError(f'prompts: found "{template}"; a pseudo-word is learned where {{name}} stands')

    @property
    def needs(self) -> tuple[str, ...]:
        """The model, and what it is shown."""
        return ("diffusion", "originals")

    @property
    def class_fields(self) -> tuple[str, ...]:
        """What the templates ask for."""
        return prompts.fields_used(self.prompts)

    def learn(self, surroundings: Surroundings) -> Learned:
        """Optimise the vectors on the denoising loss of the originals."""
        import torch

        from retrieval_vs_diffusion.strategies.learned import Learned
        from retrieval_vs_diffusion.training.denoising import encode_originals, optimise_denoising
        from retrieval_vs_diffusion.training.pseudo_words import PseudoWords

        diffusion, names = surroundings.resources["diffusion"], surroundings.class_names
        words = pseudo_words(names)
        fields = surroundings.fields()
        starts = [self.initial_word or each["name"] for each in fields]
        table = PseudoWords(diffusion, dict(zip(words, starts, strict=True)), self.vectors)
        if self.training.gradient_checkpointing:
            # transformers heeds it in training mode only; a Stable Diffusion text encoder has no dropout.
            diffusion.pipeline.text_encoder.train().gradient_checkpointing_enable()
        named = [{**each, "name": word} for each, word in zip(fields, words, strict=True)]
        templates = prompts.expand(self.prompts)
        ids = torch.stack([table.tokenize([prompts.fill(template, each) for each in named]) for template in templates])
        images = encode_originals(
            diffusion,
            surroundings.resources["originals"],
            self.training.held_out_share,
            surroundings.seed("held out"),
        )

        def conditions_of(positions: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
            n = len(positions)
            template = torch.zeros(n, dtype=torch.long)
            if generator is not None:
                template = torch.randint(len(ids), (n,), generator=generator)
            return table.encode(ids[template, images.labels[positions]])

        curve = optimise_denoising(
            diffusion,
            [table.parameter],
            conditions_of,
            images,
            names,
            self.training,
            surroundings.seed("textual inversion"),
            f"{surroundings.strategy}: learning",
        )
        learned = table.learned()
        files = {
            f"{label:04d}_{re.sub(r'[^A-Za-z0-9-]+', '_', name)[:60]}.safetensors": {word: learned[word]}
            for label, (name, word) in enumerate(zip(names, words, strict=True))
        }
        return Learned(surroundings.name, files, {"words": words}, curve)

    def teach(self, learned: Learned, diffusion: Diffusion, surroundings: Surroundings) -> Conditions:
        """Add the words to the model; prompts name them instead of the classes."""
        diffusion.add_words({word: vectors for file in learned.files.values() for word, vectors in file.items()})
        fields = zip(surroundings.fields(), learned.about["words"], strict=True)
        return ClassPrompts([{**each, "name": word} for each, word in fields])


def pseudo_words(class_names: Sequence[str]) -> list[str]:
    """A word for each class that no text holds by chance; no two alike."""
    words: list[str] = []
    taken: set[str] = set()
    for name in class_names:
        # What would open or close a token, or spell one of CLIP's own, <|endoftext|>.
        stem = re.sub(r"[\s<>|]+", "-", unicodedata.normalize("NFC", name))
        candidates = (f"<{stem}{ending}>" for ending in ("", *(f"-{number}" for number in range(1, len(class_names)))))
        word = next(each for each in candidates if each.lower() not in taken)  # CLIP's tokenizers know no capitals
        words.append(word)
        taken.add(word.lower())
    return words
