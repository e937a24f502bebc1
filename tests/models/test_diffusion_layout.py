"""What will not do as a diffusion model is told before a run begins; test_diffusion has what loading refuses."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.diffusion_layout import check_layout


@pytest.fixture
def directory(pristine_pipeline, tmp_path):
    pristine_pipeline.save_pretrained(tmp_path / "tiny")
    check_layout(tmp_path / "tiny")
    return tmp_path / "tiny"


def refused(path, match: str) -> None:
    with pytest.raises(UserError, match=match):
        check_layout(path)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_weights_as_pickles_alone_come_with_a_command(directory, part):
    (weights,) = (directory / part).glob("*.safetensors")
    weights.rename(weights.with_suffix(".bin"))
    refused(
        directory, rf"{part}/ needs a .safetensors file, found .*\.bin, a pickle.*StableDiffusionPipeline\.from_pre"
    )


def test_what_is_no_name_of_a_class_gets_into_no_command(directory):
    index = directory / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "_class_name": "x; import os; os.abort()"}))
    (weights,) = (directory / "vae").glob("*.safetensors")
    weights.rename(weights.with_suffix(".bin"))
    refused(directory, r"vae/ needs a .safetensors file, none is there$")


def test_a_part_that_is_named_and_not_there_is_told(directory):
    (directory / "vae").rename(directory / "elsewhere")
    refused(directory, "lacks its part vae/, which its model_index.json names")


def test_a_part_from_another_library_is_refused(directory):
    index = directory / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "unet": ["own_code", "OwnUNet"]}))
    refused(directory, "takes its part unet from own_code, which may be code that comes with it")


def test_a_file_is_of_safetensors(tmp_path):
    for name, match in (("model.ckpt", "is a pickle, which can run code"), ("model.onnx", "is no .safetensors file")):
        (tmp_path / name).write_bytes(b"weights")
        refused(tmp_path / name, match)
    (tmp_path / "model.safetensors").write_bytes(b"read when it is loaded")
    check_layout(tmp_path / "model.safetensors")


def test_neither_this_nor_the_look_at_clip_loads_torch():
    program = (
        "import sys, retrieval_vs_diffusion.catalog.model_datasets, retrieval_vs_diffusion.execution.inputs\n"
        "sys.exit(', '.join({'torch', 'diffusers', 'transformers', 'open_clip'} & {*sys.modules}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
