"""Batch normalisation over processes; that it is right over two of them, test_several_processes shows."""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch import distributed, nn
from torch.nn import functional

from retrieval_vs_diffusion.training.shared_statistics import SharedStatistics


@pytest.fixture(scope="module", autouse=True)
def one_process():
    store = distributed.HashStore()
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.parametrize("shape", [(8, 3), (4, 3, 5, 5)], ids=["values", "images"])
@pytest.mark.parametrize("affine", [True, False])
def test_of_one_process_it_is_what_pytorch_computes(shape, affine):
    inputs = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3 + 5

    def normalise(shared: bool) -> list[torch.Tensor]:
        layer = (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(3, affine=affine).double()
        given = inputs.clone().requires_grad_()
        if shared:
            with SharedStatistics():
                made = layer(given)
        else:
            made = layer(given)
        (made * torch.arange(made.numel(), dtype=torch.float64).view(shape)).sum().backward()
        gradients = [each.grad for each in layer.parameters()]
        return [made.detach(), given.grad, layer.running_mean, layer.running_var, *gradients]

    for ours, theirs in zip(normalise(True), normalise(False), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shared", [True, False], ids=["ours", "PyTorch's"])
def test_of_images_in_half_precision_statistics_and_weights_stay_in_single(shared):
    given = torch.tensor([1.0, 3.0, 1.0, 3.0]).view(4, 1, 1, 1).bfloat16().requires_grad_()
    layer = nn.BatchNorm2d(1)
    with SharedStatistics() if shared else contextlib.nullcontext():
        made = layer(given)
    made.square().mean().backward()
    assert made.flatten().tolist() == [-1, 1, -1, 1]  # mean 2, deviation 1
    assert layer.running_mean.tolist() == [pytest.approx(0.2)]  # a tenth of the way from 0 to 2
    assert layer.running_var.tolist() == [pytest.approx(0.9 + 0.1 * 4 / 3)]  # from 1 to 4/3, unbiased
    assert given.grad.dtype == torch.bfloat16
    assert layer.weight.grad.dtype == layer.running_mean.dtype == torch.float32


def test_gradients_in_half_precision_are_summed_in_single():
    layer = nn.BatchNorm2d(1)
    with SharedStatistics():
        made = layer(torch.arange(512.0).view(512, 1, 1, 1).bfloat16())
    made.backward(torch.tensor([1.0] * 511 + [0.5]).view(512, 1, 1, 1).bfloat16())
    assert layer.bias.grad.tolist() == [511.5]  # which bfloat16 would hold as 512


def test_a_layer_that_does_not_train_is_left_as_it_is():
    layer, inputs = nn.BatchNorm2d(3).eval(), torch.randn(2, 3, 4, 4)
    with SharedStatistics():
        assert torch.equal(layer(inputs), functional.batch_norm(inputs, torch.zeros(3), torch.ones(3)))
    assert layer.running_mean.abs().max() == 0
