import copy

import pytest
import torch

from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.personalise.textual_inversion import TextualInversion
from retrieval_vs_diffusion.strategies.source import Surroundings

NAMES = ("red", "blue")
PART = TextualInversion(steps=50, batch_size=4, learning_rate=0.01)


def learn(diffusion, originals, part=PART, names=NAMES, repetition=0):
    resources = {"diffusion": diffusion, "originals": originals}
    return part.learn(Surroundings(names, "textual_inversion", ("toy", repetition), resources))


@pytest.fixture(scope="module")
def originals(red_and_blue):
    return red_and_blue([0, 1, 0, 1])


@pytest.fixture(scope="module")
def untouched(pristine_pipeline, device) -> Diffusion:
    return Diffusion(copy.deepcopy(pristine_pipeline), "tiny", device)


@pytest.fixture(scope="module")
def taught(pristine_pipeline, device) -> Diffusion:
    return Diffusion(copy.deepcopy(pristine_pipeline), "tiny", device)


@pytest.fixture(scope="module")
def learned(taught, originals):
    return learn(taught, originals)


def embeddings(diffusion: Diffusion) -> torch.Tensor:
    return diffusion.pipeline.text_encoder.get_input_embeddings().weight.detach()


def test_each_class_has_a_pseudo_word_with_its_vector(learned, untouched):
    assert learned.words_of == {"red": "<red>", "blue": "<blue>"}
    assert {word: vectors.shape for word, vectors in learned.vectors.items()} == dict.fromkeys(
        ("<red>", "<blue>"), (1, 16)
    )
    assert learned.seconds > 0


def test_every_other_token_embedding_stays_bit_identical(learned, taught, untouched):
    known = len(embeddings(untouched))
    assert len(embeddings(taught)) == known + 2  # one token a class
    assert torch.equal(embeddings(taught)[:known], embeddings(untouched))


def test_nothing_else_of_the_model_is_changed(learned, taught, untouched):
    for part in ("unet", "vae", "text_encoder"):
        before = getattr(untouched.pipeline, part).state_dict()
        after = getattr(taught.pipeline, part).state_dict()
        changed = [key for key in before if "token_embedding" not in key and not torch.equal(before[key], after[key])]
        assert changed == []


def test_the_words_start_from_the_names_and_move(learned, untouched):
    tokenizer = untouched.pipeline.tokenizer
    for name, word in learned.words_of.items():
        start = embeddings(untouched)[tokenizer(name, add_special_tokens=False).input_ids].mean(0)
        moved = (learned.vectors[word][0] - start).abs().max()
        assert 0 < moved <= 50 * 0.01 * 1.1  # AdamW moves a number by about the rate in each of 50 steps


def test_the_model_is_given_the_words_that_were_learned(learned, taught):
    tokens = taught.pipeline.tokenizer.convert_tokens_to_ids(["<red>", "<blue>"])
    assert torch.equal(embeddings(taught)[tokens], torch.cat([learned.vectors["<red>"], learned.vectors["<blue>"]]))


def test_losses_are_means_over_twenty_five_steps(learned):
    assert [step for step, _ in learned.losses] == [25, 50]
    assert all(0.1 < loss < 10 for _, loss in learned.losses)  # an untrained denoiser's error is near 1


def test_the_seed_decides_what_is_learned(originals, pristine_pipeline, device):
    quick = TextualInversion(steps=5, batch_size=4, learning_rate=0.01)
    one, same, other = (
        learn(Diffusion(copy.deepcopy(pristine_pipeline), "tiny", device), originals, quick, repetition=repetition)
        for repetition in (0, 0, 1)
    )
    assert torch.equal(one.vectors["<red>"], same.vectors["<red>"])
    assert not torch.equal(one.vectors["<red>"], other.vectors["<red>"])


def test_a_word_may_have_several_vectors(diffusion, originals):
    result = learn(diffusion, originals, TextualInversion(steps=2, batch_size=2, vectors=3))
    assert result.vectors["<red>"].shape == (3, 16)
    tokenizer = diffusion.pipeline.tokenizer
    prompt = diffusion.pipeline.maybe_convert_prompt("a <red>", tokenizer)
    ids = tokenizer(prompt, add_special_tokens=False).input_ids
    assert ids[-3:] == tokenizer.convert_tokens_to_ids(["<red>", "<red>_1", "<red>_2"])


@pytest.mark.parametrize(("names", "word"), [(("Siamese cat", "Dog"), "<Siamese-cat>"), (("été", "x"), "<été>")])
def test_names_of_several_words_and_with_capitals_are_one_token(diffusion, originals, names, word):
    result = learn(diffusion, originals, TextualInversion(steps=1, batch_size=2), names)
    assert result.words_of[names[0]] == word
    tokenizer = diffusion.pipeline.tokenizer
    ids = tokenizer(f"a photo of a {word}", add_special_tokens=False).input_ids
    assert ids[-1] == tokenizer.convert_tokens_to_ids(word)


def test_two_names_never_share_a_pseudo_word(diffusion, originals):
    result = learn(diffusion, originals, TextualInversion(steps=1, batch_size=2), ("guinea pig", "guinea-pig"))
    assert len(set(result.words_of.values())) == len(result.vectors) == 2


def test_words_can_be_learned_after_images_were_made_with_the_model(diffusion, originals):
    list(diffusion.text_to_image(["a"], [1], Sampling(steps=2, batch_size=1)))  # with another scheduler
    result = learn(diffusion, originals, TextualInversion(steps=1, batch_size=2))
    assert torch.isfinite(result.vectors["<red>"]).all()


def test_a_denoiser_that_predicts_noise_is_taught_as_well(diffusion, originals):
    diffusion.pipeline.scheduler.register_to_config(prediction_type="epsilon")
    result = learn(diffusion, originals, TextualInversion(steps=25, batch_size=2))
    assert 0.1 < result.losses[0][1] < 10
