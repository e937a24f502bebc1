import hashlib
import json

import numpy as np
import pytest
import torch
from kedro.io import DatasetError
from safetensors.torch import load_file

from retrieval_vs_diffusion.catalog.model_datasets import (
    ClassifierDataset,
    ClipDataset,
    DiffusionDataset,
    LearnedDataset,
)
from retrieval_vs_diffusion.models.classifier import Classifier, create_network
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.learned import Learned

LEARNED = Learned(
    words_of={"zero": "<zero>", "guinea pig": "<guinea-pig>"},
    vectors={"<zero>": torch.arange(16.0).view(1, 16), "<guinea-pig>": torch.ones(2, 16)},
    losses=[(25, 1.5), (50, 1.25)],
    seconds=3.5,
)


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


def test_what_was_learned_comes_back_as_it_was(tmp_path):
    dataset = LearnedDataset(filepath=str(tmp_path / "learned.safetensors"))
    dataset.save(LEARNED)
    again = dataset.load()
    assert (again.words_of, again.losses, again.seconds) == (LEARNED.words_of, LEARNED.losses, LEARNED.seconds)
    assert list(again.vectors) == ["<guinea-pig>", "<zero>"]
    assert all(torch.equal(again.vectors[word], LEARNED.vectors[word]) for word in LEARNED.vectors)


def test_diffusers_loads_the_words_that_were_saved(pipeline, tmp_path):
    LearnedDataset(filepath=str(tmp_path / "learned.safetensors")).save(LEARNED)
    words = load_file(tmp_path / "learned.safetensors")
    pipeline.load_textual_inversion([{word: vectors} for word, vectors in words.items()])
    ids = pipeline.tokenizer.convert_tokens_to_ids(["<zero>", "<guinea-pig>", "<guinea-pig>_1"])
    table = pipeline.text_encoder.get_input_embeddings().weight
    assert torch.equal(table[ids[0]], torch.arange(16.0))
    assert torch.equal(table[ids[1:]], torch.ones(2, 16))


def test_a_single_words_file_is_one_that_diffusers_reads_by_itself(pipeline, tmp_path):
    one = Learned({"zero": "<zero>"}, {"<zero>": LEARNED.vectors["<zero>"]})
    LearnedDataset(filepath=str(tmp_path / "learned.safetensors")).save(one)
    pipeline.load_textual_inversion(str(tmp_path), weight_name="learned.safetensors")
    token = pipeline.tokenizer.convert_tokens_to_ids("<zero>")
    assert torch.equal(pipeline.text_encoder.get_input_embeddings().weight[token], torch.arange(16.0))


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
    assert dataset.load().checkpoint == "tiny"


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
