import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from retrieval_vs_diffusion.models import random_stable_diffusion
from retrieval_vs_diffusion.models.flops import CountedFlops
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.personalise.conditioning import Conditioning
from retrieval_vs_diffusion.strategies.personalise.denoiser import Denoiser
from retrieval_vs_diffusion.strategies.personalise.textual_inversion import TextualInversion
from tests.strategies.personalise.around import around, training

PARTS = ["text_encoder", "unet", "vae.decoder", "vae.encoder"]
PROMPTS, SEEDS = ["a zero", "a one", "a two"], [1, 2, 3]
SETTINGS = [
    Sampling(steps=2, batch_size=2, guidance_scale=3.0),
    Sampling(steps=2, batch_size=3, guidance_scale=1.0, scheduler="HeunDiscreteScheduler"),
    Sampling(steps=4, batch_size=3, resolution=32, scheduler="PNDMScheduler"),
]


def of(**modules) -> SimpleNamespace:
    """What stands for a pipeline: all that is asked of one is its components."""
    return SimpleNamespace(components=modules)


def hooks(pipeline) -> int:
    parts = (pipeline.unet, pipeline.vae, pipeline.text_encoder)
    return sum(len(module._forward_pre_hooks) for part in parts for module in part.modules())


def count_hooks_and_fail(pipeline, expected: int) -> None:
    assert hooks(pipeline) == expected
    raise ZeroDivisionError


@pytest.fixture
def convolution():
    return nn.Conv2d(3, 8, 3, padding=1)


def test_a_convolution_and_a_product_take_what_arithmetic_says(convolution):
    linear = nn.Linear(5, 7)
    with CountedFlops(of(unet=convolution, text_encoder=linear)) as counted, torch.no_grad():
        for _ in range(10):
            convolution(torch.zeros(2, 3, 6, 6))
        linear(torch.zeros(4, 5))
    once = 2 * (2 * 6 * 6) * 8 * (3 * 3 * 3)  # 2 a multiply-add; pixels of two images; channels out; a kernel
    assert counted.by_part == {"text_encoder": 2 * 4 * 5 * 7, "unet": 10 * once}
    assert counted.total == 10 * once + 280


@pytest.mark.parametrize(("of_input", "of_weights", "passes"), [(0, 0, 1), (1, 0, 2), (0, 1, 2), (1, 1, 3)])
def test_what_requires_a_gradient_takes_one_more_product_each(of_input, of_weights, passes):
    linear = nn.Linear(5, 7).requires_grad_(bool(of_weights))
    with CountedFlops(of(unet=linear)) as counted:
        linear(torch.zeros(4, 5, requires_grad=bool(of_input)))
    assert counted.total == passes * 2 * 4 * 5 * 7
    with CountedFlops(of(unet=linear)) as counted, torch.no_grad():
        linear(torch.zeros(4, 5, requires_grad=bool(of_input)))
    assert counted.total == 2 * 4 * 5 * 7


@pytest.mark.parametrize("sampling", SETTINGS, ids=lambda each: each.scheduler + f"_{each.guidance_scale:g}")
def test_images_are_counted_as_pytorch_counts_them_and_are_the_same(diffusion, sampling):
    def make() -> list[np.ndarray]:
        diffusion.prompts.forget()
        drawn = list(diffusion.text_to_image(PROMPTS, SEEDS, sampling))
        return drawn + list(diffusion.image_to_image(PROMPTS, drawn, 0.6, SEEDS, sampling))

    with FlopCounterMode(display=False) as real:
        outside = make()
    with CountedFlops(diffusion.pipeline) as counted:
        inside = make()
    assert counted.total == real.get_total_flops()
    assert list(counted.by_part) == PARTS
    assert all(counted.by_part.values())
    assert all(np.array_equal(*pair) for pair in zip(inside, outside, strict=True))


def test_steps_and_guidance_multiply_the_denoiser_and_nothing_else(diffusion):
    def parts(steps: int, guidance_scale: float) -> dict[str, int]:
        sampling = Sampling(steps=steps, guidance_scale=guidance_scale, batch_size=1, scheduler="DDIMScheduler")
        with CountedFlops(diffusion.pipeline) as counted:
            list(diffusion.text_to_image(["a zero"], [0], sampling))
        return {**counted.by_part, "text_encoder": 0}  # a prompt is encoded once

    plain, guided = parts(1, 1.0), parts(3, 2.0)
    assert guided == {**plain, "unet": 3 * 2 * plain["unet"]}


@pytest.mark.parametrize(
    "way",
    [
        TextualInversion(prompts=("a {name}",), training=training(steps=1, looks=1, gradient_checkpointing=True)),
        Conditioning(training=training(steps=2, looks=1, held_out_share=0.5, accumulation=2)),
        Denoiser(rank=2, training=training(steps=1, looks=1)),
        Denoiser(method="full", training=training(steps=1, looks=1, gradient_checkpointing=True)),
    ],
    ids=["words_checkpointed", "matrices", "low_rank", "full_checkpointed"],
)
def test_a_personalisation_and_its_images_are_counted_as_pytorch_counts_them(diffusion, red_and_blue, way):
    rows, width = diffusion.pipeline.text_encoder.get_input_embeddings().weight.shape
    # PyTorch's counter is the outer one: what is counted without weights must not reach it.
    with FlopCounterMode(display=False) as real, CountedFlops(diffusion.pipeline) as counted:
        way.learn(around(diffusion, red_and_blue([0, 1, 0, 1])))
        list(diffusion.text_to_image(["a zero"], [0], Sampling(steps=1)))
        assert counted.total > 0
    beside = 0
    if isinstance(way, TextualInversion):
        # Beside the parts' work, transformers draws the rows of two new words: the covariance of the old rows is a
        # product of the table with itself, and two normal vectors are multiplied with its root.
        beside = 2 * rows * width * width + 2 * 2 * width * width
    assert counted.total == real.get_total_flops() - beside


def test_adapters_that_come_and_go_are_counted_while_they_are_there(diffusion):
    from peft import LoraConfig

    unet = diffusion.pipeline.unet
    given = torch.zeros(1, unet.config.in_channels, 8, 8), torch.tensor(1), torch.zeros(1, 16, 16)

    def call() -> int:
        with FlopCounterMode(display=False) as real, torch.no_grad():
            unet(*given)
        return real.get_total_flops()

    with CountedFlops(diffusion.pipeline) as counted:
        without = call()
        unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"]))
        beside = call()
        unet.fuse_lora()
        merged = call()
        unet.unfuse_lora()
        unet.unload_lora()
    assert beside > without == merged
    assert counted.total == 2 * without + beside


def test_checkpointing_that_is_turned_on_meanwhile_is_counted(pipeline):
    unet = pipeline.unet.requires_grad_(True)
    given = torch.zeros(1, unet.config.in_channels, 8, 8), torch.tensor(1), torch.zeros(1, 16, 16)

    def learn() -> int:
        with FlopCounterMode(display=False) as real:
            unet(*given).sample.sum().backward()
        return real.get_total_flops()

    with CountedFlops(pipeline) as counted:
        plain = learn()
        unet.enable_gradient_checkpointing()
        twice = learn()
    assert twice > plain
    assert counted.total == plain + twice


def test_a_mask_of_the_text_is_no_obstacle(pipeline):
    ids = torch.tensor([[1, 2, 3, 0]])
    with FlopCounterMode(display=False) as real, CountedFlops(pipeline) as counted, torch.no_grad():
        pipeline.text_encoder(ids, attention_mask=torch.tensor([[1, 1, 1, 0]]))
    assert counted.by_part["text_encoder"] == real.get_total_flops() > 0


def test_contexts_within_another_count_for_themselves(pipeline):
    def encode() -> None:
        pipeline.encode_prompt("a zero", torch.device("cpu"), 1, False)

    with CountedFlops(pipeline) as outer:
        encode()
        with CountedFlops(pipeline) as inner:
            encode()
            encode()
            assert outer.total * 2 == inner.total * 3
        with pytest.raises(RuntimeError, match="open already"):
            outer.__enter__()
    encode()
    assert outer.total * 2 == inner.total * 3 > 0


def test_no_hook_is_left_even_by_an_error(pipeline):
    before = hooks(pipeline)
    counted = CountedFlops(pipeline)
    with pytest.raises(ZeroDivisionError), counted:
        count_hooks_and_fail(pipeline, before + 6)  # the UNet, the text encoder, four children of the autoencoder
    assert hooks(pipeline) == before
    assert counted.by_part == dict.fromkeys(PARTS, 0)


def test_counting_changes_no_gradient_and_no_chance(convolution):
    module = nn.Sequential(convolution, nn.Dropout())
    twin, given = copy.deepcopy(module), torch.randn(1, 3, 4, 4)
    torch.manual_seed(0)
    with CountedFlops(of(unet=module)) as counted:
        module(given).sum().backward()
        assert counted.total > 0
    after = torch.get_rng_state()
    torch.manual_seed(0)
    twin(given).sum().backward()
    assert torch.equal(torch.get_rng_state(), after)
    assert torch.equal(module[0].weight.grad, twin[0].weight.grad)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_compiled_module_is_counted_at_each_call(in_place):
    module = nn.Linear(5, 7)
    if in_place:
        module.compile(backend="eager")
    else:
        module = torch.compile(module, backend="eager")
    with CountedFlops(of(unet=module)) as counted, torch.no_grad():
        for _ in range(3):
            module(torch.zeros(4, 5))
    assert counted.total == 3 * 2 * 4 * 5 * 7


def test_a_part_that_cannot_be_counted_is_named(pipeline):
    class Sized(nn.Module):
        def forward(self, given):
            return given[: int(given.sum())]  # a shape that values decide

    sized = Sized()
    with CountedFlops(of(safety_checker=sized)) as counted:
        sized(torch.ones(3))
    with pytest.raises(RuntimeError, match="not counted: safety_checker, which does not run without its weights"):
        _ = counted.total
    with CountedFlops(pipeline) as counted:
        pipeline.unet = copy.deepcopy(pipeline.unet)
    with pytest.raises(RuntimeError, match="not counted: unet became another module"):
        _ = counted.by_part


def test_an_image_of_stable_diffusion_takes_what_is_known_of_it():
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):  # no weights are made
        unet = UNet2DConditionModel(**random_stable_diffusion.UNET)
        vae = AutoencoderKL(**random_stable_diffusion.AUTOENCODER)
        text_encoder = CLIPTextModel(CLIPTextConfig(**random_stable_diffusion.TEXT_ENCODER))
        ids, texts = torch.zeros(1, 77, dtype=torch.long), torch.zeros(2, 77, 768)
        latents = torch.zeros(2, 4, 64, 64)
        with CountedFlops(of(unet=unet, vae=vae, text_encoder=text_encoder)) as counted, torch.no_grad():
            for _ in range(2):  # the prompt and the empty one
                text_encoder(ids)
            unet(latents, torch.zeros(()), encoder_hidden_states=texts)
            vae.decode(latents[:1])
    parts = counted.by_part
    # The first convolution, 3 x 3 from 4 to 320 channels, is 2 x 2 x 64 x 64 x 320 x 4 x 9 = 0.19 GFLOP of it.
    assert parts["unet"] == pytest.approx(1.607e12, rel=1e-3)
    image = parts["text_encoder"] + parts["vae.decoder"] + 51 * parts["unet"]  # PNDM's 50 steps call it 51 times
    assert image == pytest.approx(84.5e12, rel=1e-3)
