"""What is no diffusion model, or not whole, is refused in one line before or while it is loaded."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion
from retrieval_vs_diffusion.models.diffusion_families import FAMILIES
from tests.models.tiny_diffusion import TINY, file_of

INPUT = "model.diffusion_model.input_blocks.0.0.weight"


@pytest.fixture(autouse=True)
def _tiny(tiny_families, device):
    """Files are read by the tiny configurations, and nothing is asked of the hub."""


def test_a_directory_of_no_known_family_is_told_which_are_known(tiny_places, tmp_path):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    known = ", ".join(each.pipeline for each in FAMILIES)
    with pytest.raises(UserError, match=f"is a FluxPipeline; known are {known}: bring one of these"):
        load_diffusion(str(tmp_path))


def without(part: str):
    return lambda weights: {name: value for name, value in weights.items() if part not in name}


def with_tensor(name: str, *shape: int):
    return lambda weights: {**weights, name: torch.zeros(shape)}


def nothing_but(name: str):
    return lambda weights: {name: torch.zeros(1)}


@pytest.mark.parametrize(
    ("family", "change", "message"),
    [
        *[(family, without("out.2.weight"), "it lacks tensors of that model") for family in TINY],
        *[(family, without("resblocks.1."), "it lacks tensors of that model") for family in ("VERSION_2", "BASE")],
        ("VERSION_1", without("layers.1."), "it lacks tensors of that model"),
        ("VERSION_1", without("first_stage"), "is no Stable Diffusion 1.x .*; bring its directory"),
        ("BASE", with_tensor("first_stage_model.encoder.conv_in.weight", 6, 3, 3, 3), "expected shape .* but got"),
        *[(family, with_tensor(INPUT, 8, 9, 3, 3), "is an inpainting model; give one that makes") for family in TINY],
        ("VERSION_1", without(INPUT), "lacks its denoiser"),
        ("VERSION_2", without("cond_"), "holds a denoiser without the text encoder"),
        ("BASE", with_tensor("v_pred", 1), "is Stable Diffusion XL trained with another prediction than noise"),
        ("BASE", with_tensor("edm_mean", 1), "is Stable Diffusion XL trained with another prediction than noise"),
        ("BASE", nothing_but("conditioner.embedders.0.model.ln_final.weight"), "is Stable Diffusion XL's refiner"),
        ("BASE", nothing_but("lora_unet.up.weight"), "holds LoRA weights, which change a model"),
        ("BASE", nothing_but("down_blocks.0.resnets.0.conv1.weight"), "is one part of a model in diffusers' layout"),
        ("BASE", nothing_but("double_blocks.0.x"), r"holds another kind .* \(its first tensor is double_blocks.0.x\)"),
    ],
)
def test_a_file_of_something_else_is_refused_in_a_line(tiny_places, tmp_path, family, change, message):
    target = tmp_path / "mine-768.safetensors"
    save_file(change(load_file(file_of(tiny_places, family))), target)
    with pytest.raises(UserError, match=message) as caught:
        load_diffusion(str(target))
    assert str(caught.value).startswith(f"diffusion.path: {target} ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", [0, 5, 5000, -1])
def test_a_file_that_is_cut_off_is_told(tiny_places, tmp_path, length):
    content = file_of(tiny_places, "VERSION_1").read_bytes()
    file = tmp_path / "half.safetensors"
    file.write_bytes(content[:length])
    with pytest.raises(UserError, match=r"half.safetensors \([\d,]+ bytes\) is cut off or no safetensors file"):
        load_diffusion(str(file))


@pytest.mark.parametrize("name", ["sd-v1-4.ckpt", "model.pt", "readme.txt"])
def test_a_file_of_another_format_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    why = "is no .safetensors file" if name.endswith("txt") else "is a pickle, which can run code when read"
    with pytest.raises(UserError, match=f"{name} {why}; bring the same model as .safetensors"):
        load_diffusion(str(tmp_path / name))


@pytest.mark.parametrize(
    ("family", "part"),
    [("VERSION_1", "text_encoder"), ("BASE", "text_encoder_2"), ("VERSION_2", "unet"), ("BASE", "vae")],
)
def test_weights_in_a_directory_that_lack_something_are_told(tiny_places, tmp_path, family, part):
    """Under another name a tensor is as good as absent; what uses it would be random, or have no memory."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_places / family, folder)
    (file,) = (folder / part).glob("*.safetensors")
    weights = load_file(file)
    lost = next(name for name in weights if name.endswith("norm2.weight"))
    save_file({(f"x.{name}" if name == lost else name): each for name, each in weights.items()}, file, {"format": "pt"})
    with pytest.raises(UserError, match=rf"the weights in {part}/ lack .*norm2\.weight; bring them again"):
        load_diffusion(str(folder))
    save_file({**weights, lost: weights[lost][:2]}, file, {"format": "pt"})
    with pytest.raises(UserError, match=f"diffusion model {folder} cannot be loaded .*; bring it again") as caught:
        load_diffusion(str(folder))
    assert "\n" not in str(caught.value)
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(UserError, match=rf"{file.name} \([\d,]+ bytes\) is cut off or no safetensors file"):
        load_diffusion(str(folder))


def test_settings_are_checked_by_name(tiny_places):
    for how, message in [
        ({"precision": "float61"}, 'diffusion.precision: found "float61"; did you mean "float16"'),
        ({"offload": "modl"}, 'diffusion.offload: found "modl"; did you mean "model"'),
        ({"compile": "defualt"}, 'diffusion.compile: found "defualt"; did you mean "default"'),
        ({"compile": "default", "offload": "model"}, "diffusion.compile: .*; found offload: model, give null"),
    ]:
        with pytest.raises(UserError, match=message):
            load_diffusion(str(tiny_places / "VERSION_1"), **how)
    with pytest.raises(UserError, match=r"diffusion\.path: is not given"):
        load_diffusion(None)
