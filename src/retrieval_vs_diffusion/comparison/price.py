"""What the machine costs: a parameter, apart from what needs pandas."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Price(BaseModel):
    """What the machine costs that a run is made on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_hour: Annotated[float, Field(ge=0)] = 1.0
    currency: str = "USD"
