"""Bad input gets one line that names the place, what was found and what would do, and a non-zero exit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--params", "only=boomerangg"], 'only: there is no strategy "boomerangg"; did you mean "boomerang"?'),
        (["--params", "classifier.steps=many"], "classifier.steps: found 'many'"),
        (["--params", "classifier.steps=0"], "classifier.steps: found 0; input should be greater than or equal to 1"),
        (["--params", "classifier.stepz=3"], "classifier.stepz: there is no such key here"),
        (["--params", "compute.device=cuda:7"], "cuda:7 is not available here"),
        (
            ["--params", "strategies.boomerang.generate.strength=1.5"],
            "boomerang.generate.strength: found 1.5",
        ),
        (["--params", "strategies.x.generate.type=text_to_imag"], 'did you mean "text_to_image"?'),
        (
            ["--params", "target.path=/photographs"],
            "target.path: rendered_digits, the reader of this world, takes none",
        ),
        (
            ["--params", "only=simple_prompt,diffusion.path=null"],
            "only: simple_prompt cannot be run here, for want of a diffusion model (diffusion.path)",
        ),
        (["--params", "target.per_class=12"], 'class "zero" has 12 images in the reservoir, but target.per_class=12'),
        (["--params", "takedown=nowhere.txt"], "pool.takedown: nothing is at"),
        (["--params", "classifier.model=small_convnett"], 'did you mean "small_convnet"?'),
        (["--pipeline=trian"], 'there is no pipeline "trian"; did you mean "train"?'),
        (["--namespaces=da_fusion"], "what `only` leaves out is found with --pipeline=<strategy>"),
        (["--params", "classes.path=conf/base/clases.csv"], "classes.path: cannot read"),
    ],
)
def test_a_wrong_parameter_is_told_in_one_line(empty_project, finished, arguments, expected):
    run = finished.kedro("run", "--env=test", *arguments)
    assert run.returncode != 0
    assert expected in run.stderr + run.stdout
    assert "Traceback" not in run.stderr + run.stdout


def test_a_stage_whose_inputs_were_never_made_says_what_to_run_first(empty_project, finished):
    run = type(finished)(empty_project, "").kedro("run", "--env=test", "--pipeline=train")
    assert run.returncode != 0
    assert "run `kedro run --pipeline=data_ingest` first" in run.stderr
    assert "Traceback" not in run.stderr


def a_pickle(weights: Path) -> None:
    weights.rename(weights.with_name("diffusion_pytorch_model.bin"))


@pytest.mark.parametrize(
    ("part", "change", "expected"),
    [
        ("diffusion/unet", shutil.rmtree, "lacks its part unet/"),
        ("diffusion/vae/diffusion_pytorch_model.fp16.safetensors", a_pickle, "found diffusion_pytorch_model.bin"),
        ("clip/open_clip_config.json", Path.unlink, "lacks open_clip_config.json"),
    ],
    ids=["without a part", "pickled", "CLIP without a part"],
)
def test_a_checkpoint_that_will_not_do_is_told_before_the_first_step(finished, tmp_path, part, change, expected):
    project = finished.copy(tmp_path / "project")
    change(project.path / "data/06_models/pretrained" / part)
    run = project.kedro("run", "--env=test")
    assert run.returncode != 0
    assert expected in run.stderr
    assert "Traceback" not in run.stderr
    assert "[1/" not in run.stdout + run.stderr  # no step was done
