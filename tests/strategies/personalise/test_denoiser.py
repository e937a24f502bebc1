import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.personalise.denoiser import Denoiser
from tests.strategies.personalise.around import around, copy_of, tensors, training, unlike

LOW_RANK = Denoiser(rank=2, training=training(steps=20))
FULL = Denoiser(method="full", training=training(steps=3))


@pytest.fixture(scope="module")
def originals(red_and_blue):
    return red_and_blue([0, 1, 0, 1])


@pytest.fixture(scope="module")
def adapters(pristine_pipeline, device, originals):
    return LOW_RANK.learn(around(copy_of(pristine_pipeline, device), originals))


def images_of(diffusion) -> np.ndarray:
    return np.stack(list(diffusion.text_to_image(["a red", "a blue"], [1, 2], Sampling(steps=3, batch_size=2))))


def test_adapters_are_of_the_attentions_projections_alone(adapters):
    names = list(tensors(adapters))
    assert list(adapters.files) == ["pytorch_lora_weights.safetensors"]
    assert all(name.startswith("unet.") and "attn" in name and ".lora." in name for name in names)
    assert {name.split(".lora.")[0].split(".", 1)[1].rsplit("attn", 1)[1][2:] for name in names} == {
        "to_q",
        "to_k",
        "to_v",
        "to_out.0",
    }
    assert {min(each.shape) for each in tensors(adapters).values()} == {2}  # the rank


def test_adapters_are_read_by_diffusers_and_do_what_ours_do(adapters, pristine_pipeline, device, originals, tmp_path):
    ours, theirs, plain = (copy_of(pristine_pipeline, device) for _ in range(3))
    conditions = LOW_RANK.teach(adapters, ours, around(ours, originals))
    assert conditions.of(0, 0, ["a {name}"]).condition == "a red"
    save_file(dict(adapters.files["pytorch_lora_weights.safetensors"]), tmp_path / "pytorch_lora_weights.safetensors")
    theirs.pipeline.load_lora_weights(str(tmp_path))
    one, other, before = (images_of(each).astype(int) for each in (ours, theirs, plain))
    assert (abs(one - other) <= 1).mean() >= 0.999  # merged into the weights, or computed beside them
    assert (abs(one - before) > 1).mean() > 0.01


def test_the_taught_model_is_the_one_that_learned(pristine_pipeline, device, originals):
    """Adapters weigh as much where they are merged as where they were learned: rank and alpha agree."""
    learner, taught, plain = (copy_of(pristine_pipeline, device) for _ in range(3))
    LOW_RANK.teach(LOW_RANK.learn(around(learner, originals)), taught, around(taught, originals))
    learned, merged, before = (images_of(each).astype(int) for each in (learner, taught, plain))
    assert (abs(learned - merged) <= 1).mean() >= 0.999
    assert (abs(learned - before) > 1).mean() > 0.01


def test_the_learning_changes_nothing_but_the_adapters(pristine_pipeline, device, originals):
    diffusion, untouched = copy_of(pristine_pipeline, device), copy_of(pristine_pipeline, device)
    LOW_RANK.learn(around(diffusion, originals))
    after = {key.replace(".base_layer", ""): value for key, value in diffusion.pipeline.unet.state_dict().items()}
    before = untouched.pipeline.unet.state_dict()
    assert [key for key in before if not torch.equal(before[key], after[key])] == []
    for part in ("vae", "text_encoder"):
        assert unlike(getattr(untouched.pipeline, part), getattr(diffusion.pipeline, part)) == []


def test_the_seed_decides_the_adapters(pristine_pipeline, device, originals):
    quick = Denoiser(rank=2, training=training(steps=2))
    one, same, other = (
        tensors(quick.learn(around(copy_of(pristine_pipeline, device), originals, repetition=repetition)))
        for repetition in (0, 0, 1)
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_torchs_own_generator_is_left_as_it_was(pristine_pipeline, device, originals):
    before = torch.get_rng_state()
    Denoiser(rank=2, training=training(steps=1)).learn(around(copy_of(pristine_pipeline, device), originals))
    assert torch.equal(torch.get_rng_state(), before)


def test_all_of_it_may_be_learned(pristine_pipeline, device, originals):
    learner, taught, untouched = (copy_of(pristine_pipeline, device) for _ in range(3))
    learned = FULL.learn(around(learner, originals))
    assert list(learned.files) == ["diffusion_pytorch_model.safetensors"]
    FULL.teach(learned, taught, around(taught, originals))
    changed = unlike(untouched.pipeline.unet, taught.pipeline.unet)
    assert len(changed) > 0.9 * len(untouched.pipeline.unet.state_dict())
    assert all(torch.equal(value, taught.pipeline.unet.state_dict()[key]) for key, value in tensors(learned).items())


def test_learning_all_of_it_leaves_encoder_and_autoencoder_bit_identical(pristine_pipeline, device, originals):
    learner, untouched = copy_of(pristine_pipeline, device), copy_of(pristine_pipeline, device)
    FULL.learn(around(learner, originals))
    for part in ("vae", "text_encoder"):
        assert unlike(getattr(untouched.pipeline, part), getattr(learner.pipeline, part)) == []


def one_line(call, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    return str(caught.value)


def test_a_denoiser_of_another_shape_is_refused_in_one_line(pristine_pipeline, device):
    diffusion = copy_of(pristine_pipeline, device)
    wider = UNet2DConditionModel.from_config({**diffusion.pipeline.unet.config, "block_out_channels": (16, 32)})
    told = one_line(diffusion.replace_denoiser, wider.state_dict())
    assert told.startswith("these denoiser weights do not fit tiny: learn them again (")
    assert one_line(diffusion.replace_denoiser, {}).startswith("these denoiser weights do not fit tiny")


def other_adapters(weights, kind: str) -> dict:
    name = next(iter(weights))
    if kind == "of other widths":
        return {key: torch.zeros(3, 3) for key in weights}
    if kind == "of a model with one more layer":
        return {**weights, name.replace("down_blocks", "further_blocks"): weights[name]}
    if kind == "of another kind of model":
        return {key.replace("unet.", "transformer."): value for key, value in weights.items()}
    return {}


@pytest.mark.parametrize(
    "kind", ["of other widths", "of a model with one more layer", "of another kind of model", "none at all"]
)
def test_adapters_of_another_model_are_refused_in_one_line(adapters, pristine_pipeline, device, kind):
    """diffusers by itself takes all but the first, leaves out what it does not know, and says so in a log."""
    diffusion = copy_of(pristine_pipeline, device)
    told = one_line(diffusion.add_low_rank_weights, other_adapters(tensors(adapters), kind))
    assert told.startswith("these LoRA weights do not fit tiny: learn them again (")


def test_a_rate_that_blows_up_leaves_adapters_that_change_nothing(pristine_pipeline, device, originals):
    """They start as a product with zero: the state before the first step is that of the untouched model."""
    part = Denoiser(rank=2, training=training(steps=6, learning_rate=1e30, held_out_share=0.5))
    learned = part.learn(around(copy_of(pristine_pipeline, device), originals))
    assert learned.curve.diverged is not None
    assert all(torch.isfinite(each).all() for each in tensors(learned).values())
    taught, untouched = copy_of(pristine_pipeline, device), copy_of(pristine_pipeline, device)
    part.teach(learned, taught, around(taught, originals))
    assert np.array_equal(images_of(taught), images_of(untouched))
