import logging

import pytest
import torch

from retrieval_vs_diffusion.models.prompt_encoder import PromptEncoder


class CountingFamily:
    """Encodes a prompt as its length, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, pipeline, prompt, device):
        del pipeline
        self.asked.append(prompt)
        return {"prompt_embeds": torch.full((2, 3), float(len(prompt)), device=device)}

    def without_prompt(self, pipeline, empty):
        del pipeline
        return {name: value - 1 for name, value in empty.items()}


@pytest.fixture
def family() -> CountingFamily:
    return CountingFamily()


@pytest.fixture
def encoder(pristine_pipeline, family, device) -> PromptEncoder:
    return PromptEncoder(pristine_pipeline, family, "tiny", device)


def test_a_prompt_is_encoded_once(encoder, family):
    first = [encoder.encode(prompt)["prompt_embeds"] for prompt in ("a one", "three", "a one", "three")]
    assert family.asked == ["a one", "three"]
    assert first[0] is first[2]
    assert first[1].unique().tolist() == [5.0]  # the length of "three"


def test_what_was_encoded_is_forgotten_when_the_encoder_has_changed(encoder, family):
    encoder.encode("a one")
    encoder.forget()
    encoder.encode("a one")
    assert family.asked == ["a one", "a one"]


def test_of_many_prompts_those_asked_for_last_are_kept(encoder, family, monkeypatch):
    monkeypatch.setattr(PromptEncoder, "most_kept", 3)
    for prompt in ("a", "bb", "ccc", "a", "dddd", "a", "ccc", "bb"):  # the fourth takes the place of bb
        assert encoder.encode(prompt)["prompt_embeds"].unique().tolist() == [len(prompt)]
    assert family.asked == ["a", "bb", "ccc", "dddd", "bb"]
    assert list(encoder.encoded) == ["a", "ccc", "bb"]


def test_guidance_leads_away_from_the_negative_prompt_or_from_what_the_family_says(encoder, family):
    assert encoder.away_from("blurred")["prompt_embeds"].unique().tolist() == [7.0]
    assert encoder.away_from(None)["prompt_embeds"].unique().tolist() == [-1.0]  # "" has length 0, less 1
    encoder.away_from(None)
    assert family.asked == ["blurred", ""]
    assert encoder.away_from("")["prompt_embeds"].unique().tolist() == [0.0]  # an empty prompt that was asked for


def test_no_gradient_is_kept(diffusion):
    diffusion.pipeline.text_encoder.requires_grad_(True)
    encoder = PromptEncoder(diffusion.pipeline, diffusion.family, "tiny", diffusion.device)
    assert not encoder.encode("a zero")["prompt_embeds"].requires_grad


def test_a_prompt_is_encoded_by_itself_whatever_else_is(diffusion):
    def encode(*prompts: str) -> torch.Tensor:
        encoder = PromptEncoder(diffusion.pipeline, diffusion.family, "tiny", diffusion.device)
        return [encoder.encode(prompt)["prompt_embeds"] for prompt in prompts][-1]

    assert torch.equal(encode("a zero"), encode("a one", "a dark photo of a seven", "a zero"))


def test_the_first_prompt_that_is_cut_is_told_and_no_other(encoder, caplog):
    caplog.set_level(logging.WARNING)
    encoder.encode("a " * 14)  # with start and end 16 tokens, which the encoder reads
    assert not caplog.records
    encoder.encode("a " * 15)
    encoder.encode("a " * 16)
    (record,) = (each for each in caplog.records if each.name.endswith("prompt_encoder"))  # transformers says it too
    assert "has 17 tokens, the text encoder of tiny reads 16: the rest is cut off" in record.getMessage()
