"""Batch normalisation by the statistics of a whole batch, of which each process holds a share.

``torch.nn.SyncBatchNorm`` does so on GPUs alone, and its modules must take the place of others. Here the function that
all batch normalisations call is replaced while the network runs, so that what is tested on CPUs is what runs on GPUs.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, distributed
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class SharedStatistics(TorchFunctionMode):
    """While it is active, ``batch_norm`` in training takes mean and variance over all processes.

    Gradients are those of the mean of all processes' losses once they are averaged over the processes, as
    ``DistributedDataParallel`` does. All processes must call it alike.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is functional.batch_norm:
            return _batch_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _batch_norm(
    images: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As ``torch.nn.functional.batch_norm``, whose arguments it has."""
    if not training:
        return functional.batch_norm(images, running_mean, running_var, weight, bias, False, momentum, eps)
    return _OverProcesses.apply(images, weight, bias, running_mean, running_var, momentum, eps)


class _OverProcesses(torch.autograd.Function):
    """Ioffe and Szegedy 2015 (arXiv 1502.03167), its sums taken over all processes."""

    @staticmethod
    def forward(
        ctx: Any,
        images: Float[Tensor, "n c *rest"],
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        momentum: float,
        eps: float,
    ) -> Float[Tensor, "n c *rest"]:
        mean, var, number = _moments(images)
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(var * (number / (number - 1).clamp(min=1)), momentum)  # unbiased, as PyTorch keeps it
        ctx.save_for_backward(images, weight, mean, (var + eps).rsqrt(), number)
        return functional.batch_norm(images, mean, var, weight, bias, False, 0.0, eps)

    @staticmethod
    def backward(ctx: Any, gradient: Float[Tensor, "n c *rest"]) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        images, weight, mean, scale, number = ctx.saved_tensors
        gradient = gradient.to(mean.dtype)  # a sum in bfloat16 would be rounded to 8 bits
        normal = (images - _along(mean, images)).mul_(_along(scale, images))
        rest = _all_but_channels(images)
        own = torch.stack([gradient.sum(rest), (gradient * normal).sum(rest)])
        both = own.clone()  # this process's are what the weights' gradients are made of
        distributed.all_reduce(both)
        by_shift, by_scale = both / number
        of_images = gradient - _along(by_shift, images) - normal.mul_(_along(by_scale, images))
        of_images = of_images.mul_(_along(scale if weight is None else scale * weight, images)).to(images.dtype)
        of_weight, of_bias = (own[at] if ctx.needs_input_grad[2 - at] else None for at in (1, 0))
        return of_images, of_weight, of_bias, None, None, None, None


def _moments(
    images: Float[Tensor, "n c *rest"],
) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"], Float[Tensor, " c"]]:
    """Mean and biased variance of each channel over all processes, and over how many values.

    Chan, Golub and LeVeque 1979: squares are summed about each process's own mean, so that nothing cancels. In float32
    at least, as PyTorch's own batch normalisation does.
    """
    images = images.to(torch.promote_types(images.dtype, torch.float32))
    var, mean = torch.var_mean(images, _all_but_channels(images), correction=0)
    number = torch.full_like(mean, images.numel() // len(mean))
    own = torch.stack([mean, var, number])
    parts = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, own)
    means, variances, numbers = torch.stack(parts).unbind(1)
    shares = numbers / numbers.sum(0)
    whole_mean = (shares * means).sum(0)
    whole_var = (shares * (variances + (means - whole_mean).square())).sum(0)
    return whole_mean, whole_var, numbers.sum(0)


def _all_but_channels(images: Tensor) -> list[int]:
    return [0, *range(2, images.dim())]


def _along(values: Float[Tensor, " c"], images: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (images.dim() - 2))
