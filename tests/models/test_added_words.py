"""Words of one and of several vectors in prompts, as diffusers itself converts them."""

from __future__ import annotations

import pytest
import torch
from diffusers import StableDiffusionPipeline

from retrieval_vs_diffusion.models.added_words import AddedWords


@pytest.fixture
def taught(diffusion):
    width = diffusion.pipeline.text_encoder.config.hidden_size
    diffusion.add_words({"<one>": torch.zeros(1, width), "<three>": torch.ones(3, width)})
    return diffusion.pipeline


PROMPTS = ["a photo of a <three>", "<one> and <three>, <three>", "nothing new", "<one>", "", "<unknown>"]


def test_prompts_are_converted_as_by_diffusers(taught):
    assert isinstance(taught.maybe_convert_prompt, AddedWords)
    converted = taught.maybe_convert_prompt(PROMPTS, taught.tokenizer)
    assert converted == StableDiffusionPipeline.maybe_convert_prompt(taught, PROMPTS, taught.tokenizer)
    assert converted[0] == "a photo of a <three> <three>_1 <three>_2"
    assert taught.maybe_convert_prompt("a <three>", taught.tokenizer) == "a <three> <three>_1 <three>_2"


def test_words_are_listed_once_and_again_when_there_are_more(taught, diffusion, monkeypatch):
    kind, listed = type(taught.tokenizer), []
    real = kind.added_tokens_encoder

    def counted(tokenizer):
        listed.append(len(tokenizer))
        return real.fget(tokenizer)

    monkeypatch.setattr(kind, "added_tokens_encoder", property(counted))
    convert = AddedWords()
    for _ in range(5):
        convert(PROMPTS, taught.tokenizer)
    assert len(listed) == 1
    assert convert("a <two>", taught.tokenizer) == "a <two>"
    diffusion.add_words({"<two>": torch.ones(2, taught.text_encoder.config.hidden_size)})
    listed.clear()
    assert convert("a <two>", taught.tokenizer) == "a <two> <two>_1"
    assert len(listed) == 1
