from __future__ import annotations

import pytest
import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.training.process_number import number_of_processes

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def four_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)


def test_as_many_as_are_asked_for_and_zero_is_one_on_each_gpu():
    assert [number_of_processes(asked, CPU, 64) for asked in (0, 1, 2)] == [1, 1, 2]
    assert [number_of_processes(asked, CUDA, 64) for asked in (0, 1, 4)] == [4, 1, 4]
    assert number_of_processes(0, torch.device("cuda:2"), 64) == 1  # it was named


@pytest.mark.parametrize(
    ("asked", "device", "expected"),
    [
        (-1, CPU, r"^compute.processes: found -1; 1 or more will do, or 0 for one on each GPU$"),
        (5, CUDA, r"^compute.processes: found 5; GPUs here: 4; take 4, or 0 for one on each$"),
        (
            2,
            torch.device("cuda:2"),
            r"^compute.processes: found 2, and device: cuda:2 is one GPU; device: cuda is all$",
        ),
        (2, torch.device("mps"), r"^compute.processes: found 2; on mps one process trains: take 1$"),
        (9, CPU, r"^compute.processes: found 9 for batches of 8 images \(classifier.batch_size\); 8 or fewer will do$"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(asked, device, expected):
    with pytest.raises(UserError, match=expected):
        number_of_processes(asked, device, 8)
