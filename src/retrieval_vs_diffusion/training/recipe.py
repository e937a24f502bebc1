"""The one protocol by which the classifier is trained for every row of the table."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ClassifierTraining(BaseModel):
    """Classifier, optimiser, schedule and validation looks; the same for every strategy.

    The recipe is tuned on ``original_only`` by validation accuracy. Random resized crops are the
    study's; batch mixing, optimiser and schedule are choices of this project.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = "tiny_convnet"  # any timm model
    image_size: Annotated[int, Field(ge=8)] = 16  # pixels a side; other sizes are resized
    init: str = "scratch"  # or a .safetensors file
    steps: Annotated[int, Field(ge=1)] = 300
    batch_size: Annotated[int, Field(ge=2)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 0.02
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    smallest_crop_area: Annotated[float, Field(gt=0, le=1)] = 0.8
    horizontal_flip: bool = False  # digits are not the same in a mirror
    validation_looks: Annotated[int, Field(ge=1)] = 10  # evenly spaced; the best one is kept
    added_share: Annotated[float, Field(gt=0, lt=1)] = 0.5  # of each batch, where a strategy's mix is `share`
