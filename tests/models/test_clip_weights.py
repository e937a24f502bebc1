"""CLIP by name with weights of all origins; what cannot be read, or would be read wrongly, is refused in one line."""

import copy
import json
import logging
import shutil
import time

import numpy as np
import open_clip
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError
from safetensors.torch import load_file, save_file

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models import hub
from retrieval_vs_diffusion.models.clip import load_clip
from retrieval_vs_diffusion.models.clip_weights import hash_of

TOWER = {"image_size": 16, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8}
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1}
TINY = {"embed_dim": 8, "vision_cfg": TOWER, "text_cfg": TEXT}
MODELS = {
    "Tiny": TINY,
    "Tiny-quickgelu": {**TINY, "quick_gelu": True},
    "Tiny-wide": {**TINY, "vision_cfg": {**TOWER, "width": 24}},
    "Tiny-deep": {**TINY, "vision_cfg": {**TOWER, "layers": 2}},
    "Tiny-32": {**TINY, "vision_cfg": {**TOWER, "image_size": 32}},
    "Tiny-hf": {**TINY, "text_cfg": {**TEXT, "hf_tokenizer_name": "org/tokenizer"}},
}
HALF, OTHER = (0.5, 0.5, 0.5), (0.1, 0.2, 0.3)
TAGS = {
    "openai": {"url": "", "hf_hub": "org/tiny.openai/", "mean": HALF, "std": HALF, "quick_gelu": True},
    "laion": {"url": "", "hf_hub": "org/tiny.laion/", "mean": HALF, "std": HALF},
    "pickled": {"url": "https://example.org/tiny.pt", "hf_hub": "", "mean": HALF, "std": HALF},
    "named": {"url": "", "hf_hub": "org/tiny.named/model.bin", "mean": HALF, "std": HALF},
}
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _offline(monkeypatch, tmp_path):
    """A hub whose cache is empty and that cannot be reached, and open_clip with tiny models."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", {**open_clip.factory._MODEL_CONFIGS, **MODELS})
    table = {**open_clip.pretrained._PRETRAINED, "Tiny": TAGS, "Tiny-quickgelu": {"openai": TAGS["openai"]}}
    monkeypatch.setattr(open_clip.pretrained, "_PRETRAINED", table)


@pytest.fixture(scope="module")
def weights(tmp_path_factory, device):
    """The weights of a tiny model; not to be changed."""
    torch.manual_seed(0)
    network = open_clip.CLIP(**copy.deepcopy(TINY))
    file = tmp_path_factory.mktemp("brought") / "open_clip_model.safetensors"
    save_file(network.state_dict(), file)
    return file


def cache(tmp_path, repository: str, *files) -> None:
    """Put files into the hub's cache as if they had been fetched."""
    folder = tmp_path / "cache" / f"models--{repository.replace('/', '--')}"
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    for file in files:
        shutil.copy(file, folder / "snapshots" / "abc" / file.name)


def refusal(model: str, checkpoint=None) -> str:
    with pytest.raises(UserError) as caught:
        load_clip(model, str(checkpoint) if checkpoint is not None else None)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_local_file_gives_the_embeddings_of_its_weights(weights):
    network = open_clip.create_model("Tiny", pretrained=str(weights)).eval()
    clip = load_clip("Tiny", str(weights))
    texts = ["a photo of a one", "two"]
    with torch.no_grad():
        expected = network.encode_text(open_clip.get_tokenizer("Tiny")(texts), normalize=True)
    assert clip.embed_texts(texts) == pytest.approx(expected.numpy(), abs=1e-6)
    assert clip.image_size == 16
    assert clip.preprocess(PIXELS).min() >= -1  # all of the model's tags say: (pixel - 0.5) / 0.5


def test_a_local_file_is_named_by_its_content(weights, tmp_path):
    other = tmp_path / weights.name
    save_file({name: value + 1 for name, value in load_file(weights).items()}, other)
    names = [load_clip("Tiny", str(file)).name for file in (weights, other)]
    assert names == [f"Tiny/open_clip_model-{hash_of(file)}" for file in (weights, other)]
    assert names[0] != names[1]


def test_a_tag_in_the_hubs_cache_needs_no_network(weights, tmp_path, monkeypatch):
    monkeypatch.setitem(TAGS, "laion", {**TAGS["laion"], "mean": OTHER})
    cache(tmp_path, "org/tiny.laion", weights)
    tagged, local = load_clip("Tiny", "laion"), load_clip("Tiny", str(weights))
    assert tagged.name == "Tiny/laion"
    assert tagged._mean.flatten().tolist() == pytest.approx(OTHER)
    assert np.allclose(tagged.embed_texts(["a"]), local.embed_texts(["a"]))
    assert not np.allclose(tagged.embed_images(PIXELS), local.embed_images(PIXELS))  # another normalisation


def test_a_tag_is_loaded_with_the_activation_that_it_was_trained_with(weights, tmp_path):
    cache(tmp_path, "org/tiny.openai", weights)
    tagged, quick = load_clip("Tiny", "openai"), load_clip("Tiny-quickgelu", str(weights))
    assert np.array_equal(tagged.embed_texts(["a one"]), quick.embed_texts(["a one"]))
    assert not np.array_equal(tagged.embed_texts(["a one"]), load_clip("Tiny", str(weights)).embed_texts(["a one"]))


def test_a_tag_that_cannot_be_fetched_says_what_to_bring_and_where_to(monkeypatch):
    start = time.perf_counter()
    bring = (
        "bring http://127.0.0.1:9/org/tiny.openai/resolve/main/open_clip_model.safetensors "
        "(then clip.model: Tiny-quickgelu, clip.checkpoint: /path/to/open_clip_model.safetensors)"
    )
    told = refusal("Tiny", "openai")
    assert told.startswith("clip.model: Tiny/openai: http://127.0.0.1:9 cannot be reached (")
    assert told.endswith(bring)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert refusal("Tiny", "openai") == f"clip.model: Tiny/openai: HF_HUB_OFFLINE is set; {bring}"
    assert time.perf_counter() - start < 10  # the hub's own client takes 23 s to give up


def test_a_tag_that_is_only_a_pickle_is_refused(monkeypatch):
    assert refusal("Tiny", "pickled") == (
        "clip.checkpoint: Tiny/pickled is only at https://example.org/tiny.pt, a pickle, which can run code when read; "
        "openai or laion will do"
    )

    def not_there(repository, filename, **how):
        raise EntryNotFoundError("404")

    monkeypatch.setattr(hub, "_out_of_reach", lambda: "")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", not_there)
    # Of a repository that has a pickle alone nothing else is asked for.
    told = "clip.model: Tiny/named: the hub has no org/tiny.named/model.safetensors, and other formats can run code"
    assert refusal("Tiny", "named").startswith(told)


def test_no_tag_of_open_clips_is_read_from_a_pickle(monkeypatch):
    monkeypatch.setattr(hub, "_out_of_reach", lambda: "out of reach")
    for model in ("ViT-B-32", "RN50", "ViTamin-S", "ViT-B-16-SigLIP"):
        for tag in open_clip.list_pretrained_tags_by_model(model):
            assert ".safetensors (then" in refusal(model, tag)


@pytest.mark.parametrize(
    ("model", "difference"),
    [
        ("Tiny-wide", "visual.class_embedding is [16], not [24]"),
        ("Tiny-deep", "visual.transformer.resblocks.1.ln_1.weight is missing"),
        ("Tiny-32", "visual.positional_embedding is [5, 16], not [17, 16]"),  # open_clip would stretch it
    ],
)
def test_weights_of_another_model_are_refused_by_the_first_difference(weights, model, difference):
    told = f"clip.model: {weights} holds another model than {model} ({difference}); give the one that it belongs to"
    assert refusal(model, weights) == told


@pytest.mark.parametrize("length", [0, 100, -1])
def test_a_file_that_is_cut_off_is_told(weights, tmp_path, length):
    file = tmp_path / "half.safetensors"
    file.write_bytes(weights.read_bytes()[:length])
    assert refusal("Tiny", file).startswith(f"clip.checkpoint: {file} ({file.stat().st_size:,} bytes) is cut off or no")
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 605143316\n")
    assert "is cut off or no safetensors file" in refusal("Tiny", file)


def test_a_folder_with_a_cut_off_file_is_told(clip_folder, tmp_path):
    shutil.copytree(clip_folder, tmp_path / "clip")
    file = tmp_path / "clip" / "open_clip_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert refusal(str(tmp_path / "clip")).startswith(f"clip.model: {file} (")
    assert refusal(str(clip_folder), "openai").startswith("clip.checkpoint: found openai, but")


def test_a_file_that_is_known_to_need_another_activation_is_refused(weights, tmp_path, caplog):
    named = tmp_path / "tiny.openai" / weights.name
    named.parent.mkdir()
    shutil.copy(weights, named)
    assert refusal("Tiny", named) == (
        f"clip.model: found Tiny, but {named} needs quick GELU (its place names the weights openai); "
        "clip.model: Tiny-quickgelu will do"
    )
    described = tmp_path / "plain" / weights.name
    described.parent.mkdir()
    shutil.copy(weights, described)
    configuration = described.parent / "open_clip_config.json"
    configuration.write_text(json.dumps({"model_cfg": {**TINY, "quick_gelu": True}, "preprocess_cfg": {}}))
    assert "(open_clip_config.json beside it says so); clip.model: Tiny-quickgelu will do" in refusal("Tiny", described)
    configuration.write_text(json.dumps({"model_cfg": TINY, "preprocess_cfg": {"mean": OTHER, "std": HALF}}))
    assert refusal("Tiny-quickgelu", described).endswith("needs GELU; clip.model: Tiny will do")
    assert caplog.text == ""
    assert load_clip("Tiny", str(described))._mean.flatten().tolist() == pytest.approx(OTHER)


def test_a_file_that_does_not_say_its_activation_is_read_with_a_warning(weights, caplog):
    caplog.set_level(logging.WARNING)
    load_clip("Tiny", str(weights))
    assert f"{weights} does not say what activation it was trained with and is read with GELU" in caplog.text


def test_a_tokenizer_of_the_hubs_is_asked_for_before_anything_is_loaded(weights):
    told = refusal("Tiny-hf", weights)
    assert "bring http://127.0.0.1:9/org/tokenizer/resolve/main/tokenizer_config.json" in told
    assert told.endswith("(all of the repository that has the weights, then clip.model: /path/to/folder)")


def test_a_hub_address_is_the_folder_that_was_fetched(clip_folder, tmp_path):
    address = "hf-hub:org/mine"
    assert refusal(address).startswith("clip.model: hf-hub:org/mine: http://127.0.0.1:9 cannot be reached (")
    cache(tmp_path, "org/mine", *clip_folder.iterdir())
    fetched, local = load_clip(address), load_clip(str(clip_folder))
    assert np.array_equal(fetched.embed_texts(["a one"]), local.embed_texts(["a one"]))
    assert fetched.name == f"hf-hub:org/mine-{hash_of(clip_folder / 'open_clip_model.safetensors')}"
    (tmp_path / "cache" / "models--org--mine" / "snapshots" / "abc" / "open_clip_model.safetensors").unlink()
    assert "lacks open_clip_model.safetensors" in refusal(address)
