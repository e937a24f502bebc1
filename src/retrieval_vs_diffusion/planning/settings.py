"""How a plan is made: plain settings, apart from what needs numpy."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Plan(BaseModel):
    """What the pipeline ``plan`` tries."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classes: Annotated[int, Field(ge=2)] = 3  # drawn from all
    images_per_class: Annotated[int, Field(ge=1)] = 2
    pool_sample: Annotated[int, Field(ge=20)] = 500  # the pool's first images
