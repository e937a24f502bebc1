import numpy as np
import torch

from retrieval_vs_diffusion.models.classifier import to_input
from retrieval_vs_diffusion.training.pretraining.judge import train_judge
from retrieval_vs_diffusion.training.pretraining.settings import JudgeTraining


def dark_and_bright(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Class 0: a dot in the middle; class 1: a cross over the whole picture. Any change leaves them apart."""
    labels = np.arange(n) % 2
    pixels = np.full((n, 16, 16, 3), 255, np.uint8)
    pixels[labels == 0, 6:10, 6:10] = 0
    pixels[labels == 1, 7:9] = 0
    pixels[labels == 1, :, 7:9] = 0
    return pixels, labels


def test_a_judge_of_the_tiniest_budget_gives_an_output_a_class(device):
    pixels, labels = dark_and_bright(6)
    judge = train_judge(pixels, labels, 5, JudgeTraining(model="tiny_convnet", steps=1, batch_size=2), device, seed=0)
    assert judge(to_input(torch.from_numpy(pixels))).shape == (6, 5)
    assert not judge.training


def test_it_learns_shapes_through_all_changes_of_look(device):
    pixels, labels = dark_and_bright(20)
    settings = JudgeTraining(model="tiny_convnet", steps=40, batch_size=32, learning_rate=0.01)
    judge = train_judge(pixels, labels, 2, settings, device, seed=0)
    negative = 255 - pixels  # a look that it knows from the changes alone
    right = judge(to_input(torch.from_numpy(negative))).argmax(1).numpy() == labels
    assert right.mean() == 1.0


def test_the_seed_decides_every_weight(device):
    pixels, labels = dark_and_bright(6)
    settings = JudgeTraining(model="tiny_convnet", steps=2, batch_size=4)
    one, same, other = (train_judge(pixels, labels, 2, settings, device, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])


def test_the_looks_of_photographs_keep_their_brightness(device):
    """Crops and mirror images leave black and white apart, where the looks of digits turn them round."""
    labels = np.arange(20) % 2
    pixels = np.where(labels[:, None, None, None] == 0, 10, 245).astype(np.uint8) * np.ones((1, 16, 16, 3), np.uint8)
    settings = JudgeTraining(model="tiny_convnet", steps=15, batch_size=16, learning_rate=0.01, looks="photographs")
    judge = train_judge(pixels, labels, 2, settings, device, seed=0)
    assert (judge(to_input(torch.from_numpy(pixels))).argmax(1).numpy() == labels).all()
