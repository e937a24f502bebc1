import torch

from retrieval_vs_diffusion.training.pretraining.text_encoder import largest_difference, to_text_encoder


def tokens(tokenizer, texts: list[str]) -> torch.Tensor:
    padding = {"padding": "max_length", "truncation": True, "max_length": tokenizer.model_max_length}
    return tokenizer(texts, return_tensors="pt", **padding).input_ids


def test_the_two_text_towers_agree_exactly(clip_parts, tokenizer):
    encoder = to_text_encoder(clip_parts["model"], tokenizer)
    ids = tokens(tokenizer, ["a photo of a two", "", "two " * 40, "漢字"])
    assert largest_difference(clip_parts["model"], encoder, ids) == 0


def test_a_difference_would_be_seen(clip_parts, tokenizer):
    encoder = to_text_encoder(clip_parts["model"], tokenizer)
    with torch.no_grad():
        encoder.get_input_embeddings().weight.mul_(-1)
    assert largest_difference(clip_parts["model"], encoder, tokens(tokenizer, ["two"])) > 1e-3


def test_the_encoder_has_clips_shape_and_is_not_trained(clip_parts, tokenizer):
    encoder = to_text_encoder(clip_parts["model"], tokenizer)
    assert (encoder.config.hidden_size, encoder.config.num_hidden_layers) == (16, 1)
    assert encoder.config.vocab_size == len(tokenizer)
    assert encoder.config.eos_token_id == len(tokenizer) - 1
    assert not encoder.training
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_it_is_a_copy_that_does_not_share_weights(clip_parts, tokenizer):
    one, two = (to_text_encoder(clip_parts["model"], tokenizer) for _ in range(2))
    with torch.no_grad():
        one.get_input_embeddings().weight.zero_()
    assert two.get_input_embeddings().weight.abs().max() > 0
