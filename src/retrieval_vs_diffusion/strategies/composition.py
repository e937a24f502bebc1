"""A strategy: an optional personalisation and the steps that bring its images, parsed from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retrieval_vs_diffusion.errors import UserError, did_you_mean
from retrieval_vs_diffusion.parts import build_part, describe
from retrieval_vs_diffusion.strategies.source import ImageSource, consumes_previous
from retrieval_vs_diffusion.strategies.wiring import datasets_of
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

StepKind = Literal["generate", "retrieve", "reuse"]
STEP_KINDS: tuple[StepKind, ...] = ("generate", "retrieve", "reuse")


@dataclass(frozen=True)
class Step:
    """One source of images; several fill up what the earlier ones left short."""

    kind: StepKind
    source: ImageSource


@dataclass(frozen=True)
class Variant:
    """How a comparison beside the table departs from a row of it; no YAML entry can ask for it.

    Args:
        of: the row; its seeds are used, so that what is not varied is the same.
        images_of: dataset prefix of the strategy whose added images are trained on; None for its own.
        originals: originals a class are multiplied by it, up to all of the reservoir.
        added_per_original: train on the first so many added images for each original alone; None for all.
        lets_leaks_through: whether near-duplicates of validation and test images pass the screening.
    """

    of: str
    images_of: str | None = None
    originals: float = 1.0
    added_per_original: float | None = None
    lets_leaks_through: bool = False


class _Entry(BaseModel):
    """A strategy as it stands in YAML."""

    model_config = ConfigDict(extra="forbid")

    description: str = ""
    personalise: str | None = None
    steps: list[dict[str, dict[str, Any]]] = Field(default_factory=list)
    generate: dict[str, Any] | None = None
    retrieve: dict[str, Any] | None = None
    reuse: dict[str, Any] | None = None
    added_per_original: float | None = Field(default=None, gt=0)
    mix: Literal["share", "union"] = "share"
    classifier: ClassifierTraining = ClassifierTraining()


@dataclass(frozen=True)
class Strategy:
    """A named way of adding images.

    Args:
        name: the row of the leaderboard.
        description: one line for people.
        personalise: name of the personalisation whose result the steps use.
        steps: sources of images in order; none for strategies that add nothing.
        added_per_original: images added for each original; None for the comparison's number.
        mix: ``share`` draws a fixed share of each batch from the added images, ``union`` draws from
            originals and added images alike.
        classifier: overrides of the world's classifier; only the fields that are set count.
        variant: for comparisons beside the table; None for a row of it.
    """

    name: str
    description: str
    personalise: str | None
    steps: tuple[Step, ...]
    added_per_original: float | None
    mix: Literal["share", "union"]
    classifier: ClassifierTraining
    variant: Variant | None = None

    @property
    def seeded_as(self) -> str:
        """The name that seeds of its images derive from."""
        return self.variant.of if self.variant else self.name

    @property
    def adds_images(self) -> bool:
        """Whether it adds anything to the originals."""
        return bool(self.steps)

    @property
    def arm(self) -> str:
        """The side of the study that it stands for: ``retrieve``, ``generate``, ``both`` or ``neither``."""
        arms = {step.kind for step in self.steps} & {"generate", "retrieve"}
        return "both" if len(arms) == 2 else next(iter(arms), "neither")


def parse_strategy(name: str, specification: Mapping[str, Any] | None, personalisations: Mapping[str, Any]) -> Strategy:
    """Turn a YAML entry into a strategy.

    A single step may stand directly under its kind: ``{generate: {type: text_to_image}}`` is
    ``{steps: [{generate: {type: text_to_image}}]}``.

    Raises:
        UserError: naming the key, for anything that is unknown, missing or out of range.
    """
    where = f"strategies.{name}"
    try:
        entry = _Entry.model_validate(dict(specification or {}))
    except ValidationError as error:
        raise UserError(describe(error, where, _Entry)) from error
    direct = {kind: spec for kind in STEP_KINDS if (spec := getattr(entry, kind)) is not None}
    if direct and entry.steps:
        raise UserError(f"{where}: found steps and {', '.join(direct)}; write everything under steps")
    if len(direct) > 1:
        raise UserError(f"{where}: found {' and '.join(direct)}; write several sources under steps, in order")
    listed: list[dict[str, dict[str, Any]]] = [direct] if direct else entry.steps  # type: ignore[list-item]
    steps = tuple(
        _parse_step(step, f"{where}.steps[{index}]" if entry.steps else where) for index, step in enumerate(listed)
    )
    if steps and consumes_previous(steps[0].source):
        raise UserError(f"{where}: found a first step that starts from the previous step; there is none")
    if entry.personalise is not None and entry.personalise not in personalisations:
        raise UserError(
            f'{where}.personalise: found "{entry.personalise}"; {did_you_mean(entry.personalise, personalisations)}'
        )
    if entry.personalise is not None and not any(step.kind == "generate" for step in steps):
        raise UserError(f"{where}.personalise: found {entry.personalise}, but no generate step that would use it")
    return Strategy(
        name, entry.description, entry.personalise, steps, entry.added_per_original, entry.mix, entry.classifier
    )


def _parse_step(step: Mapping[str, Mapping[str, Any]], where: str) -> Step:
    if len(step) != 1 or next(iter(step)) not in STEP_KINDS:
        raise UserError(f"{where}: found {sorted(step)}; a step is one of {', '.join(STEP_KINDS)}")
    ((kind, specification),) = step.items()
    source = build_part(f"retrieval_vs_diffusion.strategies.{kind}", specification, f"{where}.{kind}")
    lacking = [each for each in ("needs", "propose") if not hasattr(source, each)]
    if lacking:
        raise UserError(
            f"{where}.{kind}.type: {specification['type']} has no `{lacking[0]}`, so it can bring no images"
        )
    try:
        datasets_of(source.needs)
    except ValueError as error:
        raise UserError(f"{where}.{kind}.type: {error}") from error
    return Step(kind=kind, source=source)  # type: ignore[arg-type]
