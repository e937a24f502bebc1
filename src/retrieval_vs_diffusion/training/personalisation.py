"""How a personalisation is optimised; plain settings, so that listing pipelines loads no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class PersonalisationTraining(BaseModel):
    """AdamW steps on the denoising loss of the originals, with early stopping.

    The study's own settings are not known: all of these are this project's choice.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: Annotated[int, Field(ge=1)] = 150
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    batch_size: Annotated[int, Field(ge=1)] = 50  # images computed together, drawn from all classes
    accumulation: Annotated[int, Field(ge=1)] = 1  # batches whose gradients one step adds up
    gradient_checkpointing: bool = False  # compute activations again instead of keeping them: less memory, more time
    held_out_share: Annotated[float, Field(ge=0, lt=1)] = 0.2  # of each class's originals, for early stopping
    looks: Annotated[int, Field(ge=1)] = 10  # at the held-out loss, evenly spaced
    patience: Annotated[int, Field(ge=1)] = 3  # looks without a lower held-out loss before it stops
