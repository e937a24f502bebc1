"""What is compiled: wired with backends that need no compiler; the numbers of the real one with ``-m slow``."""

import copy
import shutil

import numpy as np
import pytest
import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models import compiled
from retrieval_vs_diffusion.models.compiled import CompiledDenoiser
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion
from retrieval_vs_diffusion.models.flops import CountedFlops
from retrieval_vs_diffusion.models.sampling import Sampling

PROMPTS, SEEDS = ["a zero", "a one", "a two"], [11, 12, 13]
SAMPLING = Sampling(steps=3, batch_size=2)


def draw(diffusion, sampling=SAMPLING) -> np.ndarray:
    drawn = list(diffusion.text_to_image(PROMPTS, SEEDS, sampling))
    return np.stack(drawn + list(diffusion.image_to_image(PROMPTS, drawn, 0.7, SEEDS, sampling)))


@pytest.fixture
def calls(monkeypatch) -> list[tuple[torch.Size, bool]]:
    """Of each call of what torch.compile makes: the shape of the latents, and whether gradients are kept."""
    made, compile_it = [], torch.compile

    def watched(function, **options):
        assert (options["fullgraph"], options["dynamic"]) == (True, False)
        inner = compile_it(function, **options)

        def call(latents, *given, **named):
            made.append((latents.shape, torch.is_grad_enabled()))
            return inner(latents, *given, **named)

        return call

    monkeypatch.setattr(torch, "compile", watched)
    return made


def test_sampling_runs_compiled_and_gives_the_same_images(diffusion, pristine_pipeline, device, calls):
    unet = copy.deepcopy(pristine_pipeline)
    swift = Diffusion(unet, "tiny", device, compiled=CompiledDenoiser("default", backend="eager"))
    assert np.array_equal(draw(swift), draw(diffusion))
    # Two batches of two and guidance: by text three steps each, by image int(3 x 0.7) = 2.
    assert [shape[0] for shape, _ in calls] == [4] * (2 * 3 + 2 * 2)
    assert not any(learns for _, learns in calls)


def test_the_denoiser_is_itself_again_when_an_image_is_made_and_keeps_its_names(diffusion, device, calls):
    swift = diffusion.to(device)
    swift._compiled = CompiledDenoiser("default", backend="eager")
    names = set(swift.pipeline.unet.state_dict())
    draw(swift)
    seen = len(calls)
    assert "forward" not in vars(swift.pipeline.unet)
    assert set(swift.pipeline.unet.state_dict()) == names
    swift.pipeline.unet(torch.zeros(1, 4, 8, 8), torch.tensor(1), torch.zeros(1, 16, 16)).sample.sum().backward()
    assert len(calls) == seen  # learning goes by it
    assert swift.to(device)._compiled is swift._compiled


def test_other_weights_are_used_from_the_next_image_on(diffusion, device):
    swift = diffusion.to(device)
    swift._compiled = CompiledDenoiser("default", backend="aot_eager")
    before = draw(swift)
    weights = {name: value + 0.1 for name, value in swift.pipeline.unet.state_dict().items()}
    swift.replace_denoiser(weights)
    after = draw(swift)
    assert not np.array_equal(before, after)
    swift._compiled = None
    assert abs(draw(swift).astype(int) - after.astype(int)).max() <= 1


def test_compiled_calls_are_counted_as_they_are_without(pristine_pipeline, device):
    totals = []
    for way in (None, CompiledDenoiser("default", backend="eager")):
        model = Diffusion(copy.deepcopy(pristine_pipeline), "tiny", device, compiled=way)
        with CountedFlops(model.pipeline) as counted:
            draw(model)
        totals.append(counted.by_part)
    assert totals[0] == totals[1]
    assert totals[0]["unet"] > 0


def test_what_a_replay_overwrites_was_copied_before():
    """A backend that gives the same memory each time, as a CUDA graph does."""
    memory = torch.zeros(2)

    class Denoiser(torch.nn.Module):
        def forward(self, given):
            return (memory.copy_(given),)

    denoiser, way = Denoiser(), CompiledDenoiser("default", backend="eager")
    with way.instead_of(denoiser):
        (first,) = denoiser(torch.tensor([1.0, 2.0]))
        (second,) = denoiser(torch.tensor([3.0, 4.0]))
    assert (first.tolist(), second.tolist()) == ([1, 2], [3, 4])


def test_what_cannot_be_compiled_is_told_in_a_line_and_leaves_nothing_behind():
    class Sized(torch.nn.Module):
        def forward(self, given):
            print("a break in the graph")
            return (given,)

    module = Sized()
    told = r"diffusion\.compile: the denoiser cannot be compiled \(.*\); null will do"
    with pytest.raises(UserError, match=told) as caught, CompiledDenoiser("default", "eager").instead_of(module):
        module(torch.ones(3))
    assert "\n" not in str(caught.value)
    assert "forward" not in vars(module)


def test_a_missing_compiler_is_told_before_anything_is_loaded(monkeypatch):
    monkeypatch.setattr(compiled.shutil, "which", lambda _: None)
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UserError, match=r"diffusion\.compile: needs a C\+\+ compiler, and none of c\+\+, g\+\+, "):
        load_diffusion("nowhere", compile="default")
    monkeypatch.setenv("CXX", "my-compiler")
    with pytest.raises(UserError, match="CXX names my-compiler, which is not there; install one, or give null"):
        CompiledDenoiser("reduce-overhead")
    CompiledDenoiser("default", backend="eager")  # needs none


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, compiled._COMPILERS)), reason="no C++ compiler")
def test_compiled_for_good_the_images_differ_in_their_last_bits(diffusion, pristine_pipeline, device):
    swift = Diffusion(copy.deepcopy(pristine_pipeline), "tiny", device, compiled=CompiledDenoiser("reduce-overhead"))
    assert abs(draw(swift).astype(int) - draw(diffusion).astype(int)).max() <= 1
