import hashlib
import json

import numpy as np
import pytest
import torch
from kedro.io import AbstractDataset, DatasetError
from safetensors.torch import load_file

from retrieval_vs_diffusion.catalog.model_datasets import (
    ClassifierDataset,
    ClipDataset,
    DiffusionDataset,
)
from retrieval_vs_diffusion.errors import UserError, find_user_error
from retrieval_vs_diffusion.models.classifier import Classifier, create_network
from retrieval_vs_diffusion.models.sampling import Sampling


class FailsHalfway(Classifier):
    """Writes some bytes, and then the disk is full."""

    def save(self, path):
        path.write_bytes(b"half")
        raise OSError("no space left on device")


@pytest.fixture
def classifier() -> Classifier:
    return Classifier(create_network("tiny_convnet", 2).eval(), "tiny_convnet", ("red", "blue"), 16)


def test_a_classifier_comes_back_as_it_was(classifier, tmp_path):
    dataset = ClassifierDataset(filepath=str(tmp_path / "deep" / "a.safetensors"))
    assert not dataset.exists()
    dataset.save(classifier)
    again, before = dataset.load(), classifier.network.state_dict()
    assert again.class_names == ("red", "blue")
    assert all(torch.equal(before[key], value) for key, value in again.network.state_dict().items())


def test_a_classifier_that_is_not_there_is_a_dataset_error(tmp_path):
    with pytest.raises(DatasetError, match="there is no classifier"):
        ClassifierDataset(filepath=str(tmp_path / "a.safetensors")).load()


def test_a_failed_save_leaves_the_old_classifier_whole(classifier, tmp_path):
    dataset = ClassifierDataset(filepath=str(tmp_path / "a.safetensors"))
    dataset.save(classifier)
    with pytest.raises(DatasetError, match="no space left on device"):
        dataset.save(FailsHalfway(classifier.network, "tiny_convnet", ("x", "y"), 16))
    assert dataset.load().class_names == ("red", "blue")
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_pipeline_is_kept_in_half_precision_without_pickles(pristine_pipeline, tmp_path):
    dataset = DiffusionDataset(filepath=str(tmp_path / "tiny"))
    assert not dataset.exists()
    dataset.save(pristine_pipeline)
    assert dataset.exists()
    weights = load_file(tmp_path / "tiny" / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float16}
    assert not [path for path in (tmp_path / "tiny").rglob("*") if path.suffix in {".bin", ".pt", ".ckpt", ".pkl"}]
    assert next(pristine_pipeline.unet.parameters()).dtype == torch.float32  # what was saved is not changed by it


def test_a_pipeline_that_was_saved_makes_the_same_images_each_time_it_is_loaded(pristine_pipeline, tmp_path):
    dataset = DiffusionDataset(filepath=str(tmp_path / "tiny"))
    dataset.save(pristine_pipeline)
    sampling = Sampling(steps=2, batch_size=1)
    one, two = (next(dataset.load().text_to_image(["a two"], [1], sampling)) for _ in range(2))
    assert np.array_equal(one, two)
    assert dataset.load().checkpoint.startswith("tiny-")  # and a hash of its weights


def test_how_a_pipeline_is_kept_in_memory_reaches_it(pristine_pipeline, tmp_path):
    pristine_pipeline.save_pretrained(tmp_path / "tiny")
    how = {
        "precision": "bfloat16",
        "attention_slicing": True,
        "offload": "model",
        "channels_last": True,
        "compile": None,
    }
    dataset = DiffusionDataset(filepath=str(tmp_path / "tiny"), **how)
    assert dataset._describe() == {"filepath": str(tmp_path / "tiny"), **how}
    loaded = dataset.load()
    assert loaded.pipeline.dtype == torch.bfloat16
    assert loaded._offload == "model"
    assert "Sliced" in str(next(iter(loaded.pipeline.unet.attn_processors.values())))
    for part in (loaded.pipeline.unet, loaded.pipeline.vae.decoder):
        assert part.conv_in.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_pipeline_that_is_to_be_compiled_is_and_stays_where_it_is(pristine_pipeline, tmp_path):
    pristine_pipeline.save_pretrained(tmp_path / "tiny")
    dataset = DiffusionDataset(filepath=str(tmp_path / "tiny"), compile="reduce-overhead")
    assert dataset._describe()["compile"] == "reduce-overhead"
    assert dataset.load()._compiled._options == {"mode": "reduce-overhead"}
    assert DiffusionDataset(filepath=str(tmp_path / "tiny")).load()._compiled is None


def test_a_diffusion_model_may_be_one_file_or_not_there(tmp_path):
    file = tmp_path / "sd-v1-4.safetensors"
    assert not DiffusionDataset(filepath=str(file)).exists()
    file.write_bytes(b"half")
    assert DiffusionDataset(filepath=str(file)).exists()
    with pytest.raises(DatasetError, match=r"diffusion\.path: .* is cut off or no safetensors file"):
        DiffusionDataset(filepath=str(file)).load()
    none = AbstractDataset.from_config("diffusion", {"type": DiffusionDataset, "filepath": None})
    assert not none.exists()
    assert none._describe()["filepath"] is None
    with pytest.raises(DatasetError, match=r"diffusion\.path: is not given") as caught:
        none.load()
    assert str(find_user_error(caught.value)).startswith("diffusion.path: is not given")


def test_a_clip_model_is_given_by_folder_name_or_address(clip_folder):
    by_model, by_path = ClipDataset(model=str(clip_folder)), ClipDataset(filepath=str(clip_folder))
    assert by_model.load().name == by_path.load().name
    how = {"checkpoint": None, "precision": "float32", "channels_last": False}
    assert by_model._describe() == by_path._describe() == {"filepath": str(clip_folder), **how}
    assert ClipDataset(model="ViT-B-32", checkpoint="openai").exists()
    assert ClipDataset(model="hf-hub:org/mine").exists()
    assert not ClipDataset(model="ViT-B-32").exists()
    with pytest.raises(UserError, match=r"clip\.model: is not given"):
        ClipDataset()


def test_a_clip_model_in_half_precision_makes_nearly_the_same_vectors(clip, clip_folder, pool):
    half = ClipDataset(model=str(clip_folder), precision="bfloat16", channels_last=True).load()
    images, words = pool.pixels()[:8], ["a red two"]
    for single, other in (
        (clip.embed_images(images), half.embed_images(images)),
        (clip.embed_texts(words), half.embed_texts(words)),
    ):
        assert other.dtype == np.float32
        assert not np.array_equal(single, other)
        assert (single * other).sum(axis=1).min() > 0.999  # bfloat16 has 8 bits: steps of 0.4 %
    with pytest.raises(DatasetError, match=r'clip\.precision: found "float8"; did you mean'):
        ClipDataset(model=str(clip_folder), precision="float8").load()


def test_a_clip_folder_holds_what_open_clip_needs(clip_folder):
    names = {path.name for path in clip_folder.iterdir()}
    assert {"open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json"} <= names
    preprocessing = json.loads((clip_folder / "open_clip_config.json").read_text())["preprocess_cfg"]
    assert preprocessing == {"mean": [0.5] * 3, "std": [0.25] * 3}
    # Named by folder and weights: embeddings of another model in a folder of that name do not mix in.
    weights = hashlib.sha256((clip_folder / "open_clip_model.safetensors").read_bytes()).hexdigest()
    assert ClipDataset(filepath=str(clip_folder)).load().name == f"tiny_clip-{weights[:8]}"


def test_a_failed_save_leaves_the_old_clip_whole(clip_parts, tmp_path):
    class FullDisk:
        def save_pretrained(self, folder):
            raise OSError("no space left on device")

    dataset = ClipDataset(filepath=str(tmp_path / "clip"))
    dataset.save(clip_parts)
    with pytest.raises(DatasetError, match="no space left on device"):
        dataset.save({**clip_parts, "tokenizer": FullDisk()})
    assert dataset.load().embed_texts(["a two"]).shape == (1, 16)
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]
