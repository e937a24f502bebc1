import subprocess
import sys

import pytest
import torch

from retrieval_vs_diffusion.catalog.learned_datasets import LearnedCollectionDataset, LearnedDataset
from retrieval_vs_diffusion.models.cost_meter import Cost
from retrieval_vs_diffusion.strategies.learned import Learned
from retrieval_vs_diffusion.training.learning_curve import LearningCurve

LOOKS = [{"step": 0, "train_loss": None, "held_out_loss": 0.5, "kept": True}]
LEARNED = Learned(
    "toy/words/0",
    {
        "0000_zero.safetensors": {"<zero>": torch.arange(16.0).view(1, 16)},
        "0001_guinea_pig.safetensors": {"<guinea-pig>": torch.ones(2, 16)},
    },
    {"words": ["<zero>", "<guinea-pig>"]},
    LearningCurve(LOOKS, 'class "zero", step 3'),
    Cost(3.5, 3.0, 1_000, 7),
)


def test_what_was_learned_comes_back_as_it_was(tmp_path):
    dataset = LearnedDataset(filepath=str(tmp_path / "deep" / "repetition_0"))
    assert not dataset.exists()
    dataset.save(LEARNED)
    again = dataset.load()
    assert (again.name, again.about, again.curve, again.cost) == (
        LEARNED.name,
        LEARNED.about,
        LEARNED.curve,
        LEARNED.cost,
    )
    assert again.stored_bytes == LEARNED.stored_bytes == (16 + 32) * 4  # float32
    assert list(again.files) == list(LEARNED.files)
    for name, tensors in LEARNED.files.items():
        assert again.files[name].keys() == tensors.keys()
        assert all(torch.equal(again.files[name][key], tensors[key]) for key in tensors)


def test_a_file_is_read_when_it_is_asked_for(tmp_path):
    LearnedDataset(filepath=str(tmp_path / "a")).save(LEARNED)
    again = LearnedDataset(filepath=str(tmp_path / "a")).load()
    (tmp_path / "a" / "0000_zero.safetensors").unlink()
    assert len(again.files) == 2
    assert "<guinea-pig>" in again.files["0001_guinea_pig.safetensors"]
    with pytest.raises(FileNotFoundError):
        again.files["0000_zero.safetensors"]
    with pytest.raises(KeyError):
        again.files["learned.json"]


def test_what_was_there_is_replaced_as_a_whole(tmp_path):
    dataset = LearnedDataset(filepath=str(tmp_path / "a"))
    dataset.save(LEARNED)
    dataset.save(Learned("b", {"conditioning.safetensors": {"0000": torch.zeros(1, 2, 3)}}))
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == ["conditioning.safetensors", "learned.json"]
    assert dataset.load().name == "b"


def test_diffusers_reads_each_words_file_by_itself(pipeline, tmp_path):
    LearnedDataset(filepath=str(tmp_path / "a")).save(LEARNED)
    for name in LEARNED.files:
        pipeline.load_textual_inversion(str(tmp_path / "a" / name))
    ids = pipeline.tokenizer.convert_tokens_to_ids(["<zero>", "<guinea-pig>", "<guinea-pig>_1"])
    table = pipeline.text_encoder.get_input_embeddings().weight
    assert torch.equal(table[ids[0]], torch.arange(16.0))
    assert torch.equal(table[ids[1:]], torch.ones(2, 16))


def test_a_collection_lists_the_draws_that_lie_beside_it(tmp_path):
    draws = {"repetition_0": LEARNED, "repetition_1": Learned("other", {})}
    for draw, learned in draws.items():
        LearnedDataset(filepath=str(tmp_path / draw)).save(learned)
    dataset = LearnedCollectionDataset(filepath=str(tmp_path / "collection.json"))
    assert not dataset.exists()
    dataset.save(draws)
    again = dataset.load()
    assert {draw: learned.name for draw, learned in again.items()} == {
        "repetition_0": "toy/words/0",
        "repetition_1": "other",
    }


def test_what_was_learned_is_told_without_loading_torch(tmp_path):
    """The process that writes to MLflow reads learning curves, and has no other use for torch."""
    LearnedDataset(filepath=str(tmp_path / "learned")).save(LEARNED)
    script = (
        "import sys; from retrieval_vs_diffusion.catalog.learned_datasets import LearnedDataset as Dataset; "
        "print(len(Dataset(filepath=sys.argv[1]).load().curve.looks), 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "learned")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.stdout.split() == [str(len(LOOKS)), "False"], ran.stderr
