"""The one protocol by which the classifier is trained for every row of the table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SCRATCH = "scratch"


class ClassifierTraining(BaseModel):
    """Classifier, optimiser, schedule and validation looks; the same for every strategy.

    The recipe is tuned on ``original_only`` by validation accuracy. Random resized crops are the
    study's; batch mixing, optimiser and schedule are choices of this project. A strategy may override
    any of it, and is then compared under a protocol of its own.

    With ``features: clip`` a linear classifier is fitted on CLIP's embeddings: of all fields only
    ``added_share`` counts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: Literal["pixels", "clip"] = "pixels"  # a network on pixels, or a linear probe of the world's CLIP
    model: str = "tiny_convnet"  # any timm model
    image_size: Annotated[int, Field(ge=8)] = 16  # pixels a side; other sizes are resized
    init: str = SCRATCH  # or a .safetensors file, of timm's or of an open_clip model with this timm model as its tower
    steps: Annotated[int, Field(ge=1)] = 300
    batch_size: Annotated[int, Field(ge=2)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 0.02
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    # Of the network's arithmetic while it learns, by autocast. Weights, optimiser, loss and looks stay in float32, and
    # so is what a classifier is used in, whatever it was trained in.
    precision: Literal["float32", "bfloat16"] = "float32"
    augmentation: Literal["none", "rand_augment", "trivial_augment"] = "none"  # of each image, before the crop
    augmentation_magnitude: Annotated[int, Field(ge=0, le=30)] = 9  # of rand_augment; the other draws its own
    cutmix: Annotated[float, Field(ge=0, le=1)] = 0.0  # share of the batches whose images are cut and mixed
    cutmix_alpha: Annotated[float, Field(gt=0)] = 1.0  # of Beta(alpha, alpha), which draws the share that is kept
    # How the random crop of each image is made: `sampled` between pixels, on the device, in floating point; `resized`
    # of whole pixels and antialiased, as torchvision does, a batch ahead on the CPU: many times faster from 64 pixels.
    # The other changes of an image come before a sampled crop, and after a resized one.
    crop: Literal["sampled", "resized"] = "sampled"
    smallest_crop_area: Annotated[float, Field(gt=0, le=1)] = 0.8
    horizontal_flip: bool = False  # digits are not the same in a mirror
    validation_looks: Annotated[int, Field(ge=1)] = 10  # evenly spaced; the best one is kept
    added_share: Annotated[float, Field(gt=0, lt=1)] = 0.5  # of each batch, where a strategy's mix is `share`

    def overridden_by(self, overrides: ClassifierTraining) -> ClassifierTraining:
        """The same recipe with those fields of ``overrides`` that were set, whatever their values."""
        return ClassifierTraining(**{**self.model_dump(), **overrides.model_dump(exclude_unset=True)})
