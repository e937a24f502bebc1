"""A training's state comes back as it was written, or not at all."""

from __future__ import annotations

import math

import pytest
import torch

from retrieval_vs_diffusion.models.checkpoint import read_checkpoint, write_checkpoint
from retrieval_vs_diffusion.unfinished import BrokenUnitError

STATE = {
    "network": {"weight": torch.tensor([[1.0, 2.0], [3.0, 0.1]]), "count": torch.tensor(7)},
    "optimiser": {
        "state": {0: {"step": torch.tensor(3.0)}, 1: {}},
        "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999)}],
    },
    "random": torch.arange(5, dtype=torch.uint8),
    "history": [{"step": 1, "loss": 1 / 3, "kept": True, "held_out": None}, {"step": 2, "loss": math.inf}],
    "big": 2**127 + 1,  # a state of numpy's PCG64
    "empty": torch.zeros(0),
}


def test_everything_comes_back(tmp_path):
    write_checkpoint(tmp_path / "c", STATE, "key")
    read = read_checkpoint(tmp_path / "c", "key")
    assert torch.equal(read["network"]["weight"], STATE["network"]["weight"])
    assert read["network"]["count"].shape == ()
    assert read["optimiser"]["state"][0] == {"step": torch.tensor(3.0)}  # under the number 0, not the text
    assert read["optimiser"]["param_groups"] == [{"lr": 0.1, "betas": [0.9, 0.999]}]
    assert read["random"].dtype == torch.uint8
    assert read["history"] == STATE["history"]  # 1 / 3 to the last bit
    assert read["big"] == STATE["big"]
    assert len(read["empty"]) == 0


def test_one_tensor_under_two_names_comes_back_twice(tmp_path):
    weights = torch.ones(3)
    write_checkpoint(tmp_path / "c", {"now": weights, "best": weights}, "key")
    read = read_checkpoint(tmp_path / "c", "key")
    read["now"].zero_()
    assert read["best"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_a_truncated_file_is_noticed(tmp_path, length):
    write_checkpoint(tmp_path / "c", STATE, "key")
    (tmp_path / "c").write_bytes((tmp_path / "c").read_bytes()[:length])
    with pytest.raises(BrokenUnitError):
        read_checkpoint(tmp_path / "c", "key")


def test_another_trainings_checkpoint_is_not_taken(tmp_path):
    write_checkpoint(tmp_path / "c", STATE, "key")
    with pytest.raises(BrokenUnitError, match="something else"):
        read_checkpoint(tmp_path / "c", "other")
