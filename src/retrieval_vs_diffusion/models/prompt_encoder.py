"""Prompts as a diffusion model's denoiser is shown them, each encoded once and by itself."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, ClassVar

import torch

from retrieval_vs_diffusion.models.added_words import AddedWords
from retrieval_vs_diffusion.models.diffusion_families.family import Encoded
from retrieval_vs_diffusion.models.sampling import Sampling

logger = logging.getLogger(__name__)


class PromptEncoder:
    """Encodes prompts and keeps what it encoded: of many, those that were asked for last.

    Args:
        pipeline: a diffusers pipeline, in whatever place; its parts encode.
        family: knows how, as ``family_of_pipeline`` gives it.
        checkpoint: the model's name, for messages.
        device: where the result is to be.

    Attributes:
        encoded: what was encoded and is kept, by prompt; what was asked for last is the last.
        most_kept: how many prompts that may be, each of some hundred kilobytes of the device's memory.
    """

    most_kept: ClassVar = 2_000

    def __init__(self, pipeline: Any, family: Any, checkpoint: str, device: torch.device) -> None:
        self._pipeline, self._family = pipeline, family
        pipeline.maybe_convert_prompt = AddedWords()
        self._checkpoint, self._device = checkpoint, device
        self.encoded: dict[str, Encoded] = {}
        self._told_of_cut = False

    @torch.no_grad()
    def encode(self, prompt: str) -> Encoded:
        """One prompt alone, whatever else is encoded: its numbers do not depend on its company."""
        encoded = self.encoded.pop(prompt, None)
        if encoded is None:
            self._tell_if_cut(prompt)
            encoded = self._family.encode(self._pipeline, prompt, self._device)
            while len(self.encoded) >= self.most_kept:
                del self.encoded[next(iter(self.encoded))]
        self.encoded[prompt] = encoded
        return encoded

    def encode_all(self, prompts: Iterable[str], sampling: Sampling) -> None:
        """Encode prompts, and what guidance leads away from, before they are asked for."""
        if sampling.guidance_scale > 1:
            self.away_from(sampling.negative_prompt)
        for prompt in prompts:
            self.encode(prompt)

    def away_from(self, negative_prompt: str | None) -> Encoded:
        """What guidance leads away from: a prompt, or none as the family has it."""
        if negative_prompt is not None:
            return self.encode(negative_prompt)
        return self._family.without_prompt(self._pipeline, self.encode(""))

    def forget(self) -> None:
        """Encode everything again, as the text encoder has changed."""
        self.encoded.clear()

    def _tell_if_cut(self, prompt: str) -> None:
        """Warn of the first prompt that is longer than what the text encoder reads."""
        tokenizer = self._pipeline.tokenizer
        ids = tokenizer(self._pipeline.maybe_convert_prompt(prompt, tokenizer)).input_ids
        if len(ids) > tokenizer.model_max_length and not self._told_of_cut:
            self._told_of_cut = True
            logger.warning(
                'the prompt "%s" has %d tokens, the text encoder of %s reads %d: the rest is cut off, here and in '
                "whatever other prompts are as long",
                prompt,
                len(ids),
                self._checkpoint,
                tokenizer.model_max_length,
            )
