"""A diffusion pipeline as it goes to another process."""

from __future__ import annotations

import copy
from typing import Any

import torch


def bare(pipeline: Any) -> Any:
    """A copy that shares the weights, without what this process hooked on its parts' calls, e.g. to count them.

    Args:
        pipeline: of diffusers, in one place.
    """
    modules = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    memo = {id(each): each for part in modules for each in (*part.parameters(), *part.buffers())}
    copied = copy.deepcopy(pipeline, memo)
    for part in copied.components.values():
        if isinstance(part, torch.nn.Module):
            for module in part.modules():
                module._forward_pre_hooks.clear()
                module._forward_pre_hooks_with_kwargs.clear()
    return copied
