"""What a pilot measured, in a form that a file holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import TypeAdapter


@dataclass(frozen=True)
class StepTiming:
    """One step of a strategy.

    Args:
        kind: ``generate``, ``retrieve`` or ``reuse``.
        replaces: whether its images take the place of those of the step before.
        asked_share: of the strategy's images those that this step was asked for; the rest an earlier one brought.
        brought_an_image: images that it brought for each that came through the screening.
        generated_an_image: images that the diffusion model made for each that was brought.
        batch_size: images of the model's batches, padding included.
        batch_seconds: of one batch.
        queries: searches of the index, for each class or for each original.
        queries_by_original: which of the two.
        other_seconds: for each image brought, besides batches and searches.
        screen_seconds: for each image brought.
        image_bytes: of a row of its table.
        peak_memory_bytes: of the GPU; None on the CPU.
    """

    kind: str
    replaces: bool = False
    asked_share: float = 1.0
    brought_an_image: float = 1.0
    generated_an_image: float = 0.0
    batch_size: int = 1
    batch_seconds: float = 0.0
    queries: float = 0.0
    queries_by_original: bool = False
    other_seconds: float = 0.0
    screen_seconds: float = 0.0
    image_bytes: float = 0.0
    peak_memory_bytes: int | None = None


@dataclass(frozen=True)
class RowTiming:
    """One strategy.

    Args:
        steps: in order.
        measure_seconds: for each image of its set; None where that failed.
        came_through: share of the images asked for that were there in the end.
    """

    steps: tuple[StepTiming, ...] = ()
    measure_seconds: float | None = 0.0
    came_through: float = 1.0


@dataclass(frozen=True)
class LearnTiming:
    """A personalisation.

    Args:
        fixed: seconds that do not depend on the number of steps, for the pilot's originals.
        per_step: seconds of a step.
        encode_seconds: for each original.
        originals: of the pilot.
        fixed_bytes: of what is learned, whatever the number of classes.
        class_bytes: of what is learned for each class.
        peak_memory_bytes: of the GPU; None on the CPU.
    """

    fixed: float
    per_step: float
    encode_seconds: float
    originals: int
    fixed_bytes: float
    class_bytes: float
    peak_memory_bytes: int | None = None


@dataclass(frozen=True)
class TrainTiming:
    """A classifier under one recipe.

    Args:
        fixed: seconds that do not depend on the number of steps.
        per_step: seconds of a step.
        decode_seconds: for each image that is read before training or testing.
        predict_seconds: for each image that is tested, besides decoding; a validation look takes as much.
        bytes: of the trained network.
        by_image: seconds for each training image of a linear probe, in place of steps and looks.
        peak_memory_bytes: of the GPU; None on the CPU.
    """

    fixed: float
    per_step: float
    decode_seconds: float
    predict_seconds: float
    bytes: int
    by_image: float = 0.0
    peak_memory_bytes: int | None = None


@dataclass(frozen=True)
class PilotTimings:
    """Everything that the pilot measured.

    Args:
        device: ``cpu``, ``cuda`` or ``mps``.
        device_name: in words.
        embed_seconds: for each image.
        width: dimensions of an embedding.
        search_flops: floating point operations a second of an exact search.
        learn: by personalisation.
        rows: by strategy.
        train: by strategy.
        failed: why something could not be tried, by strategy or personalisation, in a line each.
        seconds: that the pilot took.
    """

    device: str
    device_name: str
    embed_seconds: float
    width: int
    search_flops: float
    learn: Mapping[str, LearnTiming] = field(default_factory=dict)
    rows: Mapping[str, RowTiming] = field(default_factory=dict)
    train: Mapping[str, TrainTiming] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PilotTimings:
        """From what ``to_dict`` gave."""
        return TypeAdapter(cls).validate_python(dict(values))
