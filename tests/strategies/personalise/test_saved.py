"""What is learned, saved, loaded and taught: as the pipeline does it, and as diffusers does it by itself."""

import copy

import numpy as np
import pytest
import torch

from retrieval_vs_diffusion.catalog.learned_datasets import LearnedDataset
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.personalise.conditioning import Conditioning
from retrieval_vs_diffusion.strategies.personalise.denoiser import Denoiser
from retrieval_vs_diffusion.strategies.personalise.textual_inversion import TextualInversion
from tests.strategies.personalise.around import around, copy_of, tensors, training

QUICK = training(steps=4, learning_rate=0.1)
PARTS = {
    "textual_inversion": TextualInversion(vectors=2, training=QUICK),
    "conditioning": Conditioning(clusters=2, training=QUICK),
    "low_rank": Denoiser(rank=2, training=QUICK),
    "full": Denoiser(method="full", training=training(steps=2)),
}
SAMPLING = Sampling(steps=2, batch_size=2)


@pytest.fixture(scope="module")
def originals(red_and_blue):
    return red_and_blue([0, 0, 1, 1])


def images_of(part, learned, diffusion, surroundings) -> np.ndarray:
    """An image a class, conditioned as the part says once it has taught the model."""
    conditions = part.teach(learned, diffusion, surroundings)
    shown = [conditions.of(label, 0, ["a {name}"]).condition for label in (0, 1)]
    return np.stack(list(diffusion.text_to_image(shown, [1, 2], SAMPLING)))


@pytest.mark.parametrize("name", PARTS)
def test_what_was_saved_makes_the_same_images_as_what_was_learned(
    name, pristine_pipeline, device, originals, clip, tmp_path
):
    part, given = PARTS[name], around(copy_of(pristine_pipeline, device), originals, clip=clip)
    learned = part.learn(given)
    LearnedDataset(filepath=str(tmp_path / "draw")).save(learned)
    loaded = LearnedDataset(filepath=str(tmp_path / "draw")).load()
    assert loaded.curve == learned.curve
    assert all(torch.equal(value, tensors(learned)[key]) for key, value in tensors(loaded).items())
    direct, again = (images_of(part, each, copy_of(pristine_pipeline, device), given) for each in (learned, loaded))
    assert np.array_equal(direct, again)
    plain = list(copy_of(pristine_pipeline, device).text_to_image(["a red", "a blue"], [1, 2], SAMPLING))
    assert not np.array_equal(direct, np.stack(plain))


def test_diffusers_reads_the_saved_words_and_encodes_prompts_as_we_do(pristine_pipeline, device, originals, tmp_path):
    part = PARTS["textual_inversion"]
    names = ("Siamese cat", "siamese CAT", "caf\u00e9/2")
    given = around(copy_of(pristine_pipeline, device), originals, names)
    LearnedDataset(filepath=str(tmp_path / "draw")).save(part.learn(given))
    learned = LearnedDataset(filepath=str(tmp_path / "draw")).load()
    ours, theirs = copy_of(pristine_pipeline, device), copy.deepcopy(pristine_pipeline)
    conditions = part.teach(learned, ours, given)
    for file in (tmp_path / "draw").glob("*.safetensors"):
        theirs.load_textual_inversion(str(file))
    prompts = [conditions.of(label, 0, ["a photo of a {name}"]).prompt for label in range(3)]
    assert prompts == ["a photo of a <Siamese-cat>", "a photo of a <siamese-CAT-1>", "a photo of a <caf\u00e9/2>"]
    encodings = []
    for prompt in prompts:
        expected = theirs.encode_prompt(prompt, device, 1, False)[0][0]
        assert torch.equal(ours.encode(prompt), expected)
        encodings.append(expected)
    assert not torch.allclose(encodings[0], encodings[1], atol=1e-4)


def test_diffusers_reads_the_saved_adapters_from_their_folder(pristine_pipeline, device, originals, tmp_path):
    part, given = PARTS["low_rank"], around(copy_of(pristine_pipeline, device), originals)
    learned = part.learn(given)
    LearnedDataset(filepath=str(tmp_path / "draw")).save(learned)
    theirs = copy_of(pristine_pipeline, device)
    theirs.pipeline.load_lora_weights(str(tmp_path / "draw"))
    ours = images_of(part, learned, copy_of(pristine_pipeline, device), given).astype(int)
    other = np.stack(list(theirs.text_to_image(["a red", "a blue"], [1, 2], SAMPLING))).astype(int)
    assert (abs(ours - other) <= 1).mean() >= 0.999  # merged into the weights, or computed beside them


@pytest.mark.parametrize("name", PARTS)
def test_a_model_in_half_precision_learns_and_is_taught(name, pristine_pipeline, device, originals, clip):
    """What is learned is kept in single precision: steps this small vanish in half."""
    part = PARTS[name]
    learner, taught = (Diffusion(copy.deepcopy(pristine_pipeline).to(torch.bfloat16), "h", device) for _ in range(2))
    learned = part.learn(around(learner, originals, clip=clip))
    assert {value.dtype for value in tensors(learned).values()} == {torch.float32}
    assert all(look["train_loss"] < 5 for look in learned.curve.looks[1:])
    images = images_of(part, learned, taught, around(taught, originals, clip=clip))
    assert images.std() > 0
    assert {weights.dtype for weights in taught.pipeline.unet.parameters()} == {torch.bfloat16}
