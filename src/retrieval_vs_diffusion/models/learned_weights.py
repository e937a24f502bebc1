"""What a personalisation learned, put into a diffusers pipeline; what is of another model is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from retrieval_vs_diffusion.errors import UserError


def check_width(what: str, found: int, width: int, checkpoint: str) -> None:
    """Check that vectors are as wide as the text encoder's.

    Raises:
        UserError: if they are not.
    """
    if found != width:
        raise UserError(
            f"{what} of width {found}, the text encoder of {checkpoint} has {width}: learn it again for this model"
        )


def check_low_rank_weights(pipeline: Any, weights: Mapping[str, torch.Tensor], checkpoint: str) -> None:
    """Check that LoRA weights are of a pipeline's UNet: diffusers leaves out what is not, and says so in a log alone.

    Raises:
        UserError: if they are of another model, or there are none.
    """
    modules = {name for name, _ in pipeline.unet.named_modules()}
    strange = [key for key in weights if key.removeprefix("unet.").split(".lora")[0] not in modules]
    if strange or not weights:
        raise _do_not_fit("LoRA", checkpoint, KeyError(strange[0] if strange else "there are none"))


def merge_low_rank_weights(pipeline: Any, weights: Mapping[str, torch.Tensor], checkpoint: str) -> None:
    """Merge LoRA weights into a pipeline's UNet.

    Raises:
        UserError: if they are of another model.
    """
    try:
        pipeline.load_lora_weights(dict(weights))
    except (RuntimeError, ValueError) as error:
        raise _do_not_fit("LoRA", checkpoint, error) from error
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()


def load_denoiser(pipeline: Any, weights: Mapping[str, torch.Tensor], checkpoint: str) -> None:
    """Give a pipeline's UNet other weights.

    Raises:
        UserError: if they are of another model.
    """
    try:
        pipeline.unet.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise _do_not_fit("denoiser", checkpoint, error) from error


def _do_not_fit(what: str, checkpoint: str, error: Exception) -> UserError:
    reason = " ".join(str(error).split())  # torch names every tensor, a line each
    shown = f"{reason[:200]}..." if len(reason) > 200 else reason
    return UserError(f"these {what} weights do not fit {checkpoint}: learn them again ({shown})")
