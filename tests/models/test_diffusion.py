import copy
import json
import logging
import re

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.models.diffusion_directory import check_directory, load_diffusion
from retrieval_vs_diffusion.models.sampling import Sampling

PROMPTS, SEEDS = ["a zero", "a one", "a two", "a zero", "a one"], [11, 12, 13, 14, 15]
SAMPLING = Sampling(steps=2, batch_size=4)


@pytest.fixture
def directory(tmp_path):
    """A directory that has all parts of a model, but for their content."""
    parts = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
    for part in parts:
        (tmp_path / part).mkdir()
    for part in parts[:3]:
        (tmp_path / part / "model.safetensors").write_bytes(b"")
    declared = {"_class_name": "StableDiffusionPipeline", **{part: ["diffusers", part] for part in parts}}
    (tmp_path / "model_index.json").write_text(json.dumps(declared))
    return tmp_path


def generate(diffusion, order, sampling=SAMPLING) -> dict[int, np.ndarray]:
    images = diffusion.text_to_image([PROMPTS[n] for n in order], [SEEDS[n] for n in order], sampling)
    return dict(zip(order, images, strict=True))


def test_an_image_has_the_same_bytes_in_any_order_and_company(diffusion):
    everything = generate(diffusion, [0, 1, 2, 3, 4])  # a batch of four, and one padded to four
    for order in ([4, 3, 2, 1, 0], [2], [1, 4]):
        again = generate(diffusion, order)
        assert all(np.array_equal(again[number], everything[number]) for number in order), order


def test_seed_and_prompt_both_matter(diffusion):
    everything = generate(diffusion, [0, 1, 2, 3, 4])
    assert len({image.tobytes() for image in everything.values()}) == 5
    twins = list(diffusion.text_to_image(["a zero", "a zero", "a one"], [1, 1, 1], SAMPLING))
    assert np.array_equal(twins[0], twins[1])
    assert not np.array_equal(twins[0], twins[2])


def test_images_come_as_eight_bit_pixels_of_the_models_own_size_or_the_one_asked_for(diffusion):
    assert generate(diffusion, [0])[0].shape == (16, 16, 3)
    assert generate(diffusion, [0])[0].dtype == np.uint8
    assert generate(diffusion, [0], Sampling(steps=1, batch_size=1, resolution=32))[0].shape == (32, 32, 3)


def test_other_batch_sizes_change_almost_nothing():
    """With the base world's own model: at least 99.9 % of the pixel values within 1 of 255."""
    trained = load_diffusion("data/06_models/pretrained/diffusion")
    order = list(range(5))
    one, other = (generate(trained, order, Sampling(steps=4, batch_size=size)) for size in (5, 2))
    difference = np.stack([one[n].astype(int) - other[n].astype(int) for n in order])
    assert (abs(difference) <= 1).mean() >= 0.999
    starts = [one[n] for n in order]
    made = [
        np.stack(list(trained.image_to_image(PROMPTS, starts, 0.5, SEEDS, Sampling(steps=4, batch_size=size))))
        for size in (5, 2)
    ]
    assert (abs(made[0].astype(int) - made[1].astype(int)) <= 1).mean() >= 0.999


def test_a_matrix_stands_for_the_prompt_that_it_encodes(diffusion):
    by_text, by_matrix = diffusion.text_to_image(["a zero", diffusion.encode("a zero")], [1, 1], SAMPLING)
    assert np.array_equal(by_text, by_matrix)
    with pytest.raises(UserError, match="a condition has vectors of width 8, the text encoder of tiny has 16"):
        list(diffusion.text_to_image([torch.zeros(16, 8)], [1], SAMPLING))


def test_the_first_prompt_that_is_cut_is_told(diffusion, caplog):
    long = "a " * 40
    caplog.set_level(logging.WARNING)
    diffusion.encode("a zero")
    assert caplog.text == ""
    diffusion.encode(long)
    diffusion.encode(long + "b")
    assert len(caplog.records) == 1
    assert "has 42 tokens, the text encoder of tiny reads 16" in caplog.text  # 40 words, a start and an end


def test_a_checkpoint_is_named_by_its_folder_and_its_weights(pristine_pipeline, tmp_path):
    pristine_pipeline.save_pretrained(tmp_path / "tiny")
    name = load_diffusion(str(tmp_path / "tiny")).checkpoint
    assert re.fullmatch(r"tiny-[0-9a-f]{8}", name)
    assert load_diffusion(str(tmp_path / "tiny")).checkpoint == name
    other = copy.deepcopy(pristine_pipeline)
    with torch.no_grad():
        other.vae.decoder.conv_out.bias.add_(1)
    other.save_pretrained(tmp_path / "tiny")
    assert load_diffusion(str(tmp_path / "tiny")).checkpoint != name


def test_nothing_asked_is_nothing_made(diffusion):
    assert list(diffusion.text_to_image([], [], SAMPLING)) == []


def test_a_broken_number_makes_a_black_image_and_not_a_random_one_and_is_told_once(diffusion, caplog):
    caplog.set_level(logging.WARNING)
    with torch.no_grad():
        diffusion.pipeline.vae.decoder.conv_out.bias.fill_(float("nan"))
    assert generate(diffusion, [0])[0].max() == 0
    generate(diffusion, [1, 2])
    (record,) = caplog.records
    assert record.getMessage().startswith("tiny makes numbers that are not finite in 4 of 4 images: they become black")


@pytest.mark.parametrize("name", ["DDIMScheduler", "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler"])
def test_any_of_diffusers_schedulers_is_reproducible(diffusion, name):
    sampling = Sampling(scheduler=name, steps=2, batch_size=2)
    assert np.array_equal(generate(diffusion, [0, 1], sampling)[1], generate(diffusion, [1], sampling)[1])


def test_a_misspelt_scheduler_is_answered_with_the_one_that_was_meant(diffusion):
    with pytest.raises(UserError, match=r'diffusers has no "DDIMSheduler"; did you mean "DDIMScheduler"\?'):
        generate(diffusion, [0], Sampling(scheduler="DDIMSheduler"))


@pytest.mark.parametrize("name", ["RePaintScheduler", "UnCLIPScheduler", "ScoreSdeVeScheduler", "VQDiffusionScheduler"])
def test_a_scheduler_of_another_kind_of_model_is_refused_in_a_line(diffusion, name):
    with pytest.raises(UserError, match=f"sampling.scheduler: {name} (cannot be made for tiny|is of another kind)"):
        generate(diffusion, [0], Sampling(scheduler=name))


def test_a_scheduler_leaves_nothing_behind_for_the_next(diffusion):
    def made_by(name: str) -> np.ndarray:
        return generate(diffusion, [0], Sampling(scheduler=name, steps=6, batch_size=1))[0]

    first = made_by("DDIMScheduler")
    for name in ("EulerDiscreteScheduler", "HeunDiscreteScheduler", "PNDMScheduler", "LCMScheduler"):
        assert not np.array_equal(made_by(name), first)
    assert np.array_equal(made_by("DDIMScheduler"), first)


def test_words_are_taught_all_at_once_as_one_by_one(pristine_pipeline, device):
    words = {"<x>": torch.full((2, 16), 0.5), "<y>": torch.arange(16.0)[None]}
    together, singly = (Diffusion(copy.deepcopy(pristine_pipeline), "tiny", device) for _ in range(2))
    together.add_words(words)
    for word, vectors in words.items():
        singly.add_words({word: vectors})
    tables = [each.pipeline.text_encoder.get_input_embeddings().weight for each in (together, singly)]
    assert torch.equal(*tables)
    before = pristine_pipeline.text_encoder.get_input_embeddings().weight
    assert torch.equal(tables[0][: len(before)], before)
    assert torch.equal(together.encode("a <y> and a <x>"), singly.encode("a <y> and a <x>"))


def test_words_of_another_models_width_are_refused(diffusion):
    with pytest.raises(UserError, match="pseudo-word <x> has vectors of width 8, the text encoder of tiny has 16"):
        diffusion.add_words({"<x>": torch.zeros(1, 8)})


def test_a_word_changes_the_images_that_name_it_and_no_other(diffusion):
    before = generate(diffusion, [0])[0]
    (unknown,) = diffusion.text_to_image(["a <x>"], [1], SAMPLING)
    diffusion.add_words({"<x>": torch.full((2, 16), 3.0)})
    (known,) = diffusion.text_to_image(["a <x>"], [1], SAMPLING)
    assert not np.array_equal(known, unknown)
    assert np.array_equal(generate(diffusion, [0])[0], before)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_a_missing_part_is_named(directory, part):
    check_directory(directory)
    (directory / part).rename(directory / "elsewhere")
    with pytest.raises(UserError, match=f"lacks its part {part}/; a whole one holds unet, vae"):
        check_directory(directory)


def test_pickled_weights_are_refused(directory):
    (directory / "vae" / "model.safetensors").rename(directory / "vae" / "diffusion_pytorch_model.bin")
    with pytest.raises(UserError, match=r"vae/ needs a .safetensors file, found diffusion_pytorch_model.bin, a pickle"):
        check_directory(directory)


def test_weights_that_are_not_there_are_named(directory):
    (directory / "unet" / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"unet/ needs a .safetensors file, none is there"):
        check_directory(directory)


def test_a_directory_in_another_layout_is_refused(directory):
    with pytest.raises(UserError, match="there is no directory"):
        load_diffusion(str(directory / "nowhere"))
    (directory / "model_index.json").write_text("{half")
    with pytest.raises(UserError, match=r"model_index\.json"):
        load_diffusion(str(directory))
    (directory / "model_index.json").unlink()
    with pytest.raises(UserError, match=r"lacks model_index\.json"):
        load_diffusion(str(directory))


def test_an_unknown_precision_is_refused(pristine_pipeline, tmp_path):
    pristine_pipeline.save_pretrained(tmp_path / "tiny")
    with pytest.raises(UserError, match="precision"):
        load_diffusion(str(tmp_path / "tiny"), "float61")


@pytest.mark.parametrize(
    "settings", [{"steps": 0}, {"resolution": 20}, {"guidance_scale": 0.5}, {"batch_size": 0}, {"step": 3}]
)
def test_sampling_out_of_range_is_refused(settings):
    with pytest.raises(ValidationError):
        Sampling(**settings)
