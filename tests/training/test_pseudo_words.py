import pytest
import torch

from retrieval_vs_diffusion.training.pseudo_words import WordTraining, learn_words

WORDS = {"red": "<r>", "blue": "<b>"}
TEXTS = [["a <r>", "a <b>"], ["the <r>", "the <b>"]]


def vectors_after(diffusion, originals, steps: int, learning_rate: float) -> dict[str, torch.Tensor]:
    training = WordTraining(vectors=1, steps=steps, learning_rate=learning_rate, batch_size=4)
    return learn_words(diffusion, originals, WORDS, TEXTS, training, seed=0)[0]


def test_a_word_whose_class_has_no_images_in_any_batch_is_not_moved_by_the_loss(diffusion, red_and_blue):
    table = diffusion.pipeline.text_encoder.get_input_embeddings().weight.detach()
    ids = diffusion.pipeline.tokenizer("blue", add_special_tokens=False).input_ids
    start = table[ids].mean(0)
    vectors = vectors_after(diffusion, red_and_blue([0, 0, 0]), steps=5, learning_rate=0.01)
    # AdamW's weight decay of 0.01 alone shrinks it: by 0.01 x 0.01 in each of 5 steps
    assert vectors["<b>"][0] == pytest.approx(start * (1 - 1e-4) ** 5, rel=1e-4, abs=1e-7)
    assert (vectors["<r>"][0] - table[diffusion.pipeline.tokenizer("red").input_ids[1]]).abs().max() > 0.01


def test_the_text_encoder_asks_for_no_gradients_afterwards(diffusion, red_and_blue):
    vectors_after(diffusion, red_and_blue([0, 1]), steps=1, learning_rate=0.01)
    for module in (diffusion.pipeline.text_encoder, diffusion.pipeline.unet, diffusion.pipeline.vae):
        assert not any(parameter.requires_grad for parameter in module.parameters())
        assert not module.training


def test_reports_that_are_not_due_yet_are_not_made(diffusion, red_and_blue):
    training = WordTraining(vectors=1, steps=24, learning_rate=0.01, batch_size=1)
    _, losses = learn_words(diffusion, red_and_blue([0, 1]), WORDS, TEXTS, training, seed=0)
    assert losses == []  # the first is due after 25 steps
