"""Tiny models of each family of diffusion models, as people bring them."""

import pytest


@pytest.fixture(scope="session")
def tiny_places(tmp_path_factory, device):
    """A folder with a directory and a file of each family's tiny model; not to be changed."""
    from tests.models.original_layout import write_single_file
    from tests.models.tiny_diffusion import TINY, file_of, make_pipeline

    folder = tmp_path_factory.mktemp("families")
    for family, single_file in TINY.items():
        pipeline = make_pipeline(single_file)
        pipeline.save_pretrained(folder / family)
        write_single_file(pipeline, file_of(folder, family))
    return folder


@pytest.fixture
def tiny_families(monkeypatch):
    """Single files are read by the tiny configurations, and nothing is asked of the hub."""
    from retrieval_vs_diffusion.models.diffusion_families import single_file, stable_diffusion, stable_diffusion_xl
    from tests.models.tiny_diffusion import MERGES, TINY

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    full = single_file.clip_tokenizer
    monkeypatch.setattr(single_file, "clip_tokenizer", lambda pad_token: full(pad_token, MERGES))
    monkeypatch.setattr(stable_diffusion, "VERSION_1", TINY["VERSION_1"])
    monkeypatch.setattr(stable_diffusion, "VERSION_2", TINY["VERSION_2"])
    monkeypatch.setattr(stable_diffusion_xl, "BASE", TINY["BASE"])
