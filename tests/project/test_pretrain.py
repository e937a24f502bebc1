"""Training a world's own models, on a tiny budget."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from benchmarks.project_copy import ROOT

PRETRAINED = ROOT / "data/06_models/pretrained"


def test_pretrain_trains_all_models_elsewhere_and_measures_them(finished, tmp_path):
    project = finished.copy(tmp_path / "project")
    copy = project.path
    before = {path: path.read_bytes() for path in (copy / "data/06_models/pretrained").rglob("*") if path.is_file()}
    run = project.kedro("run", "--pipeline=pretrain", "--env=test")
    assert run.returncode == 0, run.stderr
    trained = copy / "data/test/06_models/trained_again"
    assert (trained / "clip/open_clip_model.safetensors").is_file()
    assert (trained / "diffusion/unet/diffusion_pytorch_model.fp16.safetensors").is_file()
    figures = json.loads((trained / "fairness.json").read_text())
    assert 0 <= figures["generation_label_agreement"] <= 1
    # What comes with the repository stays as it is.
    assert {path: path.read_bytes() for path in before} == before


def test_no_model_learns_from_a_planted_leak(finished):
    from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
    from retrieval_vs_diffusion.pipelines.pretrain.nodes import select_training_images

    pool = ImageTableDataset(filepath=str(finished.path / "data/test/02_intermediate/pool/images")).load()
    assert sum(leak is not None for leak in pool.column("leak_of")) == 10  # the test world plants 10
    assert len(select_training_images(pool)) == len(pool) - 10


def test_the_shipped_checkpoints_are_those_of_the_model_card():
    sums = (PRETRAINED / "SHA256SUMS").read_text().split()
    named = dict(zip(sums[1::2], sums[0::2], strict=True))
    assert {str(path.relative_to(PRETRAINED)) for path in PRETRAINED.rglob("*.safetensors")} <= named.keys()
    for name, expected in named.items():
        assert hashlib.sha256((PRETRAINED / name).read_bytes()).hexdigest() == expected, name
        assert expected in (PRETRAINED / "README.md").read_text()


def test_the_shipped_checkpoints_stay_small():
    assert sum(path.stat().st_size for path in Path(PRETRAINED).rglob("*") if path.is_file()) < 15e6
