"""Textual inversion: a pseudo-word a class is learned from its images."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.strategies import prompts
from retrieval_vs_diffusion.strategies.prompts import Templates
from retrieval_vs_diffusion.strategies.source import Surroundings

if TYPE_CHECKING:
    from retrieval_vs_diffusion.strategies.learned import Learned


@part
class TextualInversion:
    """One pseudo-word a class, all classes optimised together (Gal et al. 2022; arXiv 2208.01618).

    Only the new words' vectors change; they start from the class name's. The study's own settings are
    not known: steps, rate and batch are this project's choice.

    Args:
        vectors: token embeddings of each pseudo-word.
        steps: optimiser steps.
        learning_rate: of AdamW.
        batch_size: images of one step, drawn from all classes.
        prompts: templates in which the pseudo-words are learned.
    """

    vectors: Annotated[int, Field(ge=1)] = 1
    steps: Annotated[int, Field(ge=1)] = 150
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    batch_size: Annotated[int, Field(ge=1)] = 50
    prompts: Templates = ("a photo of a {name}", "a picture of a {name}", "a {name}")
    needs: ClassVar[tuple[str, ...]] = ("diffusion", "originals")

    def learn(self, surroundings: Surroundings) -> Learned:
        """Optimise the vectors on the denoising loss of the originals."""
        from retrieval_vs_diffusion.strategies.learned import Learned
        from retrieval_vs_diffusion.training.pseudo_words import WordTraining, learn_words

        started = time.perf_counter()
        words_of: dict[str, str] = {}
        for name in surroundings.class_names:
            word = f"<{name.replace(' ', '-')}>"
            words_of[name] = word if word not in words_of.values() else f"<{name.replace(' ', '-')}-{len(words_of)}>"
        vectors, losses = learn_words(
            surroundings.resources["diffusion"],
            surroundings.resources["originals"],
            words_of,
            [[prompts.fill(template, word) for word in words_of.values()] for template in self.prompts],
            WordTraining(self.vectors, self.steps, self.learning_rate, self.batch_size),
            surroundings.seed("textual inversion"),
        )
        return Learned(words_of, vectors, losses, time.perf_counter() - started)
