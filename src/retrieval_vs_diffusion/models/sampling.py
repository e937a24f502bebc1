"""How images are sampled from a diffusion model."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Sampling(BaseModel):
    """How images are sampled from the model; a strategy may override any of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scheduler: str = "DPMSolverMultistepScheduler"  # any of diffusers' by name
    steps: Annotated[int, Field(ge=1)] = 15
    guidance_scale: Annotated[float, Field(ge=1)] = 3.0  # 1 switches classifier-free guidance off
    negative_prompt: str | None = None
    resolution: Annotated[int, Field(ge=8, multiple_of=8)] | None = None  # pixels a side; None for the model's own
    batch_size: Annotated[int, Field(ge=1)] = 60  # images computed together; the last batch is padded to it
