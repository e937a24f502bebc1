"""Schedulers of diffusers by name, made for a model's own noise schedule."""

from __future__ import annotations

import inspect
from typing import Any

from retrieval_vs_diffusion.errors import UserError, did_you_mean


def make_scheduler(name: str, configuration: Any, checkpoint: str) -> Any:
    """A scheduler that predicts what the model predicts, at the noise levels that it was trained at.

    Args:
        name: of a class in diffusers.
        configuration: of the model's own scheduler.
        checkpoint: the model's name, for the error.

    Raises:
        UserError: if diffusers has none of that name, or it is of another kind of model.
    """
    import diffusers

    known = [each for each in dir(diffusers) if each.endswith("Scheduler") and not each.startswith(("Flax", "get_"))]
    if name not in known:
        raise UserError(f'sampling.scheduler: diffusers has no "{name}"; {did_you_mean(name, known)}')
    try:
        scheduler = getattr(diffusers, name).from_config(configuration)
    except (TypeError, ValueError, ImportError) as error:
        raise UserError(f"sampling.scheduler: {name} cannot be made for {checkpoint} ({error})") from error
    if not _samples_images(scheduler):
        raise UserError(f"sampling.scheduler: {name} is of another kind of model; DPMSolverMultistepScheduler will do")
    return scheduler


def _samples_images(scheduler: Any) -> bool:
    """Whether a scheduler has what Stable Diffusion's pipelines call, and its steps take nothing else."""
    called = ("init_noise_sigma", "scale_model_input", "add_noise", "step")
    if not all(hasattr(scheduler, each) for each in called):
        return False
    asked = [each for each in inspect.signature(scheduler.step).parameters.values() if each.default is each.empty]
    return len(asked) <= 3  # the model's output, the time and the image
