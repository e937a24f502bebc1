"""Each family of diffusion models: from a directory and from one file, in every way that a model is used."""

import copy
import logging
import shutil

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models import offload as offload_module
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion
from retrieval_vs_diffusion.models.diffusion_families import stable_diffusion, stable_diffusion_xl
from retrieval_vs_diffusion.models.diffusion_families.clip_vocabulary import clip_tokenizer
from retrieval_vs_diffusion.models.flops import CountedFlops
from retrieval_vs_diffusion.models.sampling import Sampling
from tests.models.original_layout import write_single_file
from tests.models.tiny_diffusion import FILES, TINY, file_of, make_pipeline

PROMPTS, SEEDS = ["a zero", "a one!", "a zero", "two"], [11, 12, 13, 14]
SAMPLING = Sampling(steps=2, batch_size=3, scheduler="DDIMScheduler")


@pytest.fixture(autouse=True)
def _tiny(tiny_families, device):
    """Files are read by the tiny configurations, and nothing is asked of the hub."""


@pytest.fixture(params=TINY)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def all_loaded(tiny_places) -> dict[str, Diffusion]:
    return {family: load_diffusion(str(tiny_places / family)) for family in TINY}


@pytest.fixture
def loaded(all_loaded, family) -> Diffusion:
    """A model from its directory; not to be changed."""
    return all_loaded[family]


def draw(diffusion: Diffusion, order=(0, 1, 2, 3), sampling=SAMPLING) -> dict[int, np.ndarray]:
    images = diffusion.text_to_image([PROMPTS[n] for n in order], [SEEDS[n] for n in order], sampling)
    return dict(zip(order, images, strict=True))


def redraw(diffusion: Diffusion, order, starts) -> dict[int, np.ndarray]:
    prompts, seeds = [PROMPTS[n] for n in order], [SEEDS[n] for n in order]
    images = diffusion.image_to_image(prompts, [starts[n] for n in order], 0.6, seeds, SAMPLING)
    return dict(zip(order, images, strict=True))


def same(one: dict[int, np.ndarray], other: dict[int, np.ndarray]) -> bool:
    return all(np.array_equal(one[number], other[number]) for number in one.keys() & other.keys())


def test_an_image_has_the_same_bytes_in_any_order_and_company(loaded):
    drawn = draw(loaded)
    assert len({image.tobytes() for image in drawn.values()}) == 4
    assert drawn[0].shape == (loaded.image_size, loaded.image_size, 3)
    again = redraw(loaded, (0, 1, 2, 3), drawn)
    assert not same(drawn, again)
    for order in [(3, 2, 1, 0), (1,)]:
        assert same(drawn, draw(loaded, order))
        assert same(again, redraw(loaded, order, drawn))


def test_an_image_is_the_one_that_diffusers_makes_of_the_prompt(loaded):
    """The prompt, guidance and empty negative prompt reach the model as its own pipeline would bring them."""
    for negative in (None, "a two"):
        sampling = SAMPLING.model_copy(update={"batch_size": 1, "negative_prompt": negative})
        (ours,) = draw(loaded, (1,), sampling).values()
        generator = torch.Generator().manual_seed(SEEDS[1])
        how = {"num_inference_steps": 2, "guidance_scale": 3.0, "generator": generator, "output_type": "np"}
        theirs = loaded.pipeline(PROMPTS[1], negative_prompt=negative, **how).images[0]
        assert abs(ours.astype(float) - theirs * 255).max() <= 1
    assert loaded.pipeline.scheduler.config.prediction_type == (
        "v_prediction" if loaded.image_size == 24 else "epsilon"
    )


def test_one_file_makes_the_images_of_the_directory(tiny_places, family, loaded):
    from_file = load_diffusion(str(file_of(tiny_places, family)))
    assert same(draw(loaded), draw(from_file))
    assert from_file.image_size == loaded.image_size
    assert from_file.pipeline.config.get("force_zeros_for_empty_prompt") == (True if family == "BASE" else None)
    for name in TINY[family].padding:
        ours, theirs = (getattr(each.pipeline, name)(PROMPTS, padding="max_length") for each in (from_file, loaded))
        assert ours.input_ids == theirs.input_ids


def test_a_file_is_named_by_its_content(tiny_places, family, tmp_path):
    other = tmp_path / file_of(tiny_places, family).name
    write_single_file(make_pipeline(TINY[family], seed=1), other)
    names = [load_diffusion(str(each)).checkpoint for each in (file_of(tiny_places, family), other, other)]
    assert names[0] != names[1] == names[2]
    assert names[0].startswith(f"{FILES[family]}-")


def test_averaged_weights_are_taken_before_the_last_ones(tiny_places, tmp_path):
    file = tmp_path / "full-ema.safetensors"
    weights = load_file(file_of(tiny_places, "VERSION_1"))
    start = "model.diffusion_model."
    inner = [name for name in weights if name.startswith(start)]
    # As the original code names them: without dots.
    averaged = {f"model_ema.{name.removeprefix('model.').replace('.', '')}": weights[name] for name in inner}
    assert len(averaged) > 100
    save_file({**weights, **{name: torch.zeros_like(weights[name]) for name in inner}, **averaged}, file)
    assert same(draw(load_diffusion(str(file))), draw(load_diffusion(str(tiny_places / "VERSION_1"))))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_runs_on_the_cpu_too(tiny_places, family, precision):
    half = load_diffusion(str(tiny_places / family), precision)
    assert half.pipeline.dtype == getattr(torch, precision)
    drawn = draw(half, (0, 1))
    assert len({image.tobytes() for image in drawn.values()}) == 2
    exact = draw(load_diffusion(str(tiny_places / family)), (0, 1))
    assert abs(drawn[0].astype(float) - exact[0]).mean() < 8  # of 255
    assert redraw(half, (0,), drawn)[0].any()  # what is not finite would be black


def test_sliced_attention_changes_the_last_bits_at_most(tiny_places, family, loaded):
    sliced = draw(load_diffusion(str(tiny_places / family), attention_slicing=True))
    assert all(abs(sliced[n].astype(int) - image).max() <= 1 for n, image in draw(loaded).items())


def test_offloading_is_left_out_where_there_is_no_gpu(tiny_places, device, caplog):
    caplog.set_level(logging.INFO)
    diffusion = load_diffusion(str(tiny_places / "VERSION_1"), offload="model").to(device)
    assert "diffusion.offload: model is left out on cpu" in caplog.text
    assert not hasattr(diffusion.pipeline.unet, "_hf_hook")


def hook_every_layer(pipeline, device):
    """diffusers' own, but for its index: on "cpu:0" a parameter that is brought to it is a parameter no more."""
    from accelerate import cpu_offload

    pipeline.remove_all_hooks()
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            cpu_offload(part, device, offload_buffers=len(part._parameters) > 0)


@pytest.mark.parametrize("offload", ["model", "sequential"])
def test_offloaded_parts_make_the_same_images(tiny_places, family, loaded, offload, monkeypatch):
    """accelerate's hooks as they are set for a GPU, with the CPU in its place."""
    monkeypatch.setattr(diffusers.DiffusionPipeline, "enable_sequential_cpu_offload", hook_every_layer)
    drawn, weights = draw(loaded), {k: v.clone() * 1.5 for k, v in loaded.pipeline.unet.state_dict().items()}
    again = redraw(loaded, (0, 1), drawn)
    monkeypatch.setattr(offload_module, "offloads", lambda device, offload: offload is not None)
    placed, place = [], offload_module.place
    monkeypatch.setattr(
        offload_module, "place", lambda pipeline, *how: [placed.append(pipeline), place(pipeline, *how)]
    )
    parted = load_diffusion(str(tiny_places / family), offload=offload)
    assert hasattr(parted.pipeline.unet, "_hf_hook")
    assert same(drawn, draw(parted))
    assert same(again, redraw(parted, (0, 1), drawn))
    assert same(drawn, draw(parted, (2, 3)))  # after the other pipeline used the parts
    # Each sets its own hooks: only the pipeline that set them sends its last part back to memory.
    kinds = (parted.family.pipeline, parted.family.image_to_image_pipeline, parted.family.pipeline)
    assert tuple(type(each).__name__ for each in placed) == kinds
    if parted.family.learns:
        whole = Diffusion(copy.deepcopy(loaded.pipeline), "whole", loaded.device)
        for each in (whole, parted):
            each.replace_denoiser(weights)
            each.add_words({"<x>": torch.full((1, 8), 0.5)})
        assert not same(drawn, draw(whole))
        assert same(draw(whole), draw(parted))


def test_what_two_text_encoders_cannot_be_taught_is_told(tiny_places):
    large = load_diffusion(str(tiny_places / "BASE"))
    for use in (
        lambda: large.encode("a zero"),
        lambda: large.add_words({"<x>": torch.zeros(1, 8)}),
        lambda: large.add_low_rank_weights({"x": torch.zeros(1)}),
        lambda: large.replace_denoiser({}),
        lambda: list(large.text_to_image([torch.zeros(77, 24)], [1], SAMPLING)),
    ):
        with pytest.raises(UserError, match=r"personalise: .* are not for Stable Diffusion XL, which BASE-"):
            use()


def test_version_2_learns_words(tiny_places):
    second = load_diffusion(str(tiny_places / "VERSION_2"))
    before = draw(second, (0,))
    second.add_words({"<x>": torch.full((2, 8), 3.0)})
    assert same(before, draw(second, (0,)))
    assert not torch.equal(second.encode("a <x>"), second.encode("a zero"))
    assert second.encode("a <x>").shape == (77, 8)


@pytest.mark.parametrize(
    ("name", "metadata", "predicts"),
    [
        ("mine-768", {}, "v_prediction"),
        ("512-base-ema", {}, "epsilon"),
        ("mine", {"modelspec.architecture": "stable-diffusion-v2-768-v"}, "v_prediction"),
        ("mine-768", {"modelspec.prediction_type": "epsilon"}, "epsilon"),
        ("mine", {}, None),
        ("from-512-to-768", {}, None),
    ],
)
def test_version_2_is_read_for_what_it_was_trained_to_predict(tiny_places, tmp_path, name, metadata, predicts):
    file = tmp_path / f"{name}.safetensors"
    save_file(load_file(file_of(tiny_places, "VERSION_2")), file, metadata)
    if predicts is None:
        with pytest.raises(UserError, match=f"does not say whether .* name it {name}-768.safetensors or"):
            load_diffusion(str(file))
    else:
        read = load_diffusion(str(file))
        assert read.pipeline.scheduler.config.prediction_type == predicts
        assert read.image_size == (24 if predicts == "v_prediction" else 16)


def test_every_family_has_its_published_number_of_weights(monkeypatch):
    """As the models' cards and the papers count them, part by part: the configurations are facts, not memory."""
    import transformers

    monkeypatch.undo()
    published = [
        (stable_diffusion.VERSION_1, 859_520_964, [123_060_480]),
        (stable_diffusion.VERSION_2, 865_910_724, [340_387_840]),
        (stable_diffusion_xl.BASE, 2_567_463_684, [123_060_480, 694_659_840]),
    ]
    with torch.device("meta"):
        for model, unet, encoders in published:
            assert count(diffusers.UNet2DConditionModel(**model.unet)) == unet
            assert count(diffusers.AutoencoderKL(**model.vae)) == 83_653_863
            for (kind, shape), weights in zip(model.text_encoders.values(), encoders, strict=True):
                assert count(getattr(transformers, kind)(transformers.CLIPTextConfig(**shape))) == weights


def test_what_does_not_show_in_the_weights_is_as_published(monkeypatch):
    monkeypatch.undo()
    first, second, large = stable_diffusion.VERSION_1, stable_diffusion.VERSION_2, stable_diffusion_xl.BASE
    assert [each.vae["scaling_factor"] for each in (first, second, large)] == [0.18215, 0.18215, 0.13025]
    assert [each.unet["sample_size"] for each in (first, second, large)] == [64, 64, 128]  # eighths of a pixel
    assert [each.unet["attention_head_dim"] for each in (first, second, large)] == [8, (5, 10, 20, 20), (5, 10, 20)]
    end = "<|endoftext|>"
    assert first.padding == {"tokenizer": end}
    assert second.padding == {"tokenizer": "!"}
    assert large.padding == {"tokenizer": end, "tokenizer_2": "!"}
    activations = [
        encoder["hidden_act"] for each in (first, second, large) for _, encoder in each.text_encoders.values()
    ]
    assert activations == ["quick_gelu", "gelu", "quick_gelu", "gelu"]


def count(module) -> int:
    return sum(each.numel() for each in module.parameters())


def test_the_vocabulary_is_clips():
    """Ids of OpenAI's encoder for "a photo of a cat": the ends are 49406 and 49407."""
    padded = {
        pad: clip_tokenizer(pad)("a photo of a cat", padding="max_length").input_ids for pad in ("<|endoftext|>", "!")
    }
    assert padded["<|endoftext|>"] == [49406, 320, 1125, 539, 320, 2368, 49407] + [49407] * 70
    assert padded["!"] == [49406, 320, 1125, 539, 320, 2368, 49407] + [0] * 70


def test_of_two_sets_of_weights_the_one_in_the_precision_asked_for_is_taken(tiny_places, tmp_path):
    pipeline = make_pipeline(TINY["VERSION_1"])
    pipeline.save_pretrained(tmp_path)
    half = copy.deepcopy(pipeline)
    with torch.no_grad():
        half.unet.conv_out.bias.fill_(1.0)
    half.save_pretrained(tmp_path, variant="fp16")
    assert load_diffusion(str(tmp_path)).pipeline.unet.conv_out.bias[0] != 1
    assert load_diffusion(str(tmp_path), "float16").pipeline.unet.conv_out.bias[0] == 1


OLDER_NAMES = {"to_q.": "query.", "to_k.": "key.", "to_v.": "value.", "to_out.0.": "proj_attn."}


def test_weights_under_the_names_of_years_ago_are_the_same_weights(tiny_places, family, loaded, tmp_path):
    """As the models were published: text encoders of transformers 4, autoencoders of diffusers 0.2."""
    folder = tmp_path / "published"
    shutil.copytree(tiny_places / family, folder)
    for part in TINY[family].text_encoders:
        file = folder / part / "model.safetensors"
        renamed = {
            name if name.startswith("text_") else f"text_model.{name}": value for name, value in load_file(file).items()
        }
        positions = {"text_model.embeddings.position_ids": torch.arange(77)[None]}
        save_file({**renamed, **positions}, file, {"format": "pt"})
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    for new, old in OLDER_NAMES.items():
        weights = {name.replace(f"attentions.0.{new}", f"attentions.0.{old}"): each for name, each in weights.items()}
    assert any("query" in name for name in weights)
    save_file(weights, file, {"format": "pt"})
    assert same(draw(loaded), draw(load_diffusion(str(folder))))


def test_costs_are_counted_for_every_part(loaded, family):
    fresh = Diffusion(loaded.pipeline, "fresh", loaded.device)  # no prompt was encoded yet
    with CountedFlops(fresh.pipeline) as counted:
        redraw(fresh, (0, 1), draw(fresh, (0, 1)))
    assert set(counted.by_part) == {*TINY[family].text_encoders, "unet", "vae.decoder", "vae.encoder"}
    assert min(counted.by_part.values()) > 0
