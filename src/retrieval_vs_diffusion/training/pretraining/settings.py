"""Parameters of the pipeline ``pretrain``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_CHECKED = ConfigDict(extra="forbid", frozen=True)


class TokenizerTraining(BaseModel):
    """The vocabulary that CLIP and the diffusion model share."""

    model_config = _CHECKED

    vocabulary_size: Annotated[int, Field(ge=520)] = 1300
    context_length: Annotated[int, Field(ge=4)] = 16


class ClipTraining(BaseModel):
    """Shape and training of the CLIP model."""

    model_config = _CHECKED

    image_tower: str = "small_convnet"  # any timm model
    embedding_dim: Annotated[int, Field(ge=8)] = 64
    text_width: Annotated[int, Field(ge=8)] = 64
    text_layers: Annotated[int, Field(ge=1)] = 2
    steps: Annotated[int, Field(ge=1)] = 600
    batch_size: Annotated[int, Field(ge=2)] = 256
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    smallest_crop_area: Annotated[float, Field(gt=0, le=1)] = 1.0  # of random resized crops; 1 for none
    horizontal_flip: bool = False  # digits are not the same in a mirror, most photographs are


class AutoencoderTraining(BaseModel):
    """Shape and training of the autoencoder."""

    model_config = _CHECKED

    channels: tuple[int, ...] = (16, 32)  # each level after the first halves the image
    latent_channels: Annotated[int, Field(ge=1)] = 4
    steps: Annotated[int, Field(ge=1)] = 800
    batch_size: Annotated[int, Field(ge=1)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    kl_weight: Annotated[float, Field(ge=0)] = 1e-4


class DenoiserTraining(BaseModel):
    """Shape and training of the UNet."""

    model_config = _CHECKED

    channels: tuple[int, int] = (32, 64)
    steps: Annotated[int, Field(ge=1)] = 5000
    batch_size: Annotated[int, Field(ge=1)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    caption_dropout: Annotated[float, Field(ge=0, le=1)] = 0.1  # share trained without caption, for guidance
    average_decay: Annotated[float, Field(gt=0, lt=1)] = 0.995


class JudgeTraining(BaseModel):
    """Shape and training of the judge."""

    model_config = _CHECKED

    model: str = "small_convnet_wide"  # any timm model
    steps: Annotated[int, Field(ge=1)] = 1500
    batch_size: Annotated[int, Field(ge=2)] = 128
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    looks: Literal["digits", "photographs"] = "digits"  # how images are changed: ManyLooks, or crops and mirror images
    smallest_crop_area: Annotated[float, Field(gt=0, le=1)] = 0.5  # of photographs' crops


class Pretraining(BaseModel):
    """Training of all models that a world makes itself; ``seed`` decides every draw."""

    model_config = _CHECKED

    seed: int = 0
    image_size: Annotated[int, Field(ge=8)] = 16  # pixels a side that all models are trained at
    tokenizer: TokenizerTraining = TokenizerTraining()
    clip: ClipTraining = ClipTraining()
    autoencoder: AutoencoderTraining = AutoencoderTraining()
    denoiser: DenoiserTraining = DenoiserTraining()
    judge: JudgeTraining = JudgeTraining()
