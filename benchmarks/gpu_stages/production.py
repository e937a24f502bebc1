"""Our side as a world sets it for a GPU: the settings that the documentation recommends there, in one place."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from benchmarks.gpu_stages.place import Place
from retrieval_vs_diffusion.models.clip import Clip
from retrieval_vs_diffusion.models.diffusion import Diffusion
from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion


def diffusion(folder: Path, place: Place) -> Diffusion:
    """``diffusion.precision: bfloat16``, ``channels_last: true`` and ``compile: default``.

    CUDA graphs, the other modes, spare a launch that batches of this size do not feel.
    """
    compiled = None if place.tiny else "default"  # the CPU's compiler takes minutes, and says nothing of the GPU's
    return load_diffusion(str(folder), place.low_precision, channels_last=True, compile=compiled).to(place.device)


def clip(model: Any, tokenizer: Any, place: Place) -> Clip:
    """An open_clip model of its own, whatever is done to its weights."""
    return Clip(copy.deepcopy(model), tokenizer, "random", place.device)
