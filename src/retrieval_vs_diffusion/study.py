"""What a world's parameters ask for: its strategies, repetitions and numbers, checked once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retrieval_vs_diffusion.comparison.price import Price
from retrieval_vs_diffusion.errors import UserError, did_you_mean
from retrieval_vs_diffusion.images.screening import Screening
from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.parts import build_part, describe
from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.strategies.class_table import ClassTable, read_class_table
from retrieval_vs_diffusion.strategies.composition import Strategy, parse_strategy
from retrieval_vs_diffusion.strategies.personalisation import Personalisation
from retrieval_vs_diffusion.training.pretraining.settings import Pretraining
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

Purpose = Literal["target_subset", "personalisation", "added_images", "classifier"]
READERS = "retrieval_vs_diffusion.images.readers"
SHARED = "shared"  # the draw of what no repetition draws anew
EVERY_STRATEGY = "all"  # `only: all` on the command line, where null cannot be given


class Compute(BaseModel):
    """Where models run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str = "auto"  # CUDA, else MPS, else the CPU; or one of them by name
    threads: Annotated[int, Field(ge=0)] = 1  # of torch on the CPU, in each worker; 0 for all


class TargetParameters(BaseModel):
    """Where the target comes from and how many images a class are trained on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reader: dict[str, Any]
    train_per_class: Annotated[int, Field(ge=1)]
    class_table: str | None = None  # a CSV: class, name, definition, hypernym, background


class PoolParameters(BaseModel):
    """Where the pool comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reader: dict[str, Any]


class Repetitions(BaseModel):
    """How often everything is done, and what each repetition draws anew.

    What is not drawn anew is made once and shared by all repetitions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: Annotated[int, Field(ge=1)] = 5
    redraw: tuple[Purpose, ...] = ("target_subset", "personalisation", "added_images", "classifier")


class SizeCurve(BaseModel):
    """At which numbers of real images the baseline is trained, to tell what a row is worth in real images."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    times_originals: tuple[Annotated[float, Field(gt=0)], ...] = (0.5, 1.5, 2, 3)  # up to all that are held back


class LeakComparison(BaseModel):
    """Which rows are trained a second time with copies of test images let through."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    arms: tuple[Literal["retrieve", "generate", "both"], ...] = ("retrieve", "both")


class AddedImages(BaseModel):
    """What the pipeline ``added_images`` varies: how many images are added, and how they are mixed in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    times_originals: tuple[Annotated[float, Field(gt=0)], ...] = (0.5, 1, 2, 3, 6)
    added_shares: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.25, 0.5, 0.75)
    repetitions: Annotated[int, Field(ge=1)] = 5


class PublishedFigures(BaseModel):
    """Figures that others published for the rows of a world, shown beside ours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    top1: dict[str, tuple[float, float]]  # percent and its error, by strategy


class Tune(BaseModel):
    """What the pipeline ``tune`` tries, on validation alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repetitions: Annotated[int, Field(ge=1)] = 3
    trials: dict[str, list[dict[str, Any]]]  # of each strategy: settings by their dotted place in its entry


class Export(BaseModel):
    """What the pipeline ``export`` takes home, besides whose it is (``strategy``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repetition: Annotated[int, Field(ge=0)] = 0


class Parameters(BaseModel):
    """Everything under ``parameters``; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    world: str
    only: str | None = None  # strategies to run, joined by +; `all` or null for every one
    workers: Annotated[int, Field(ge=0)] = 0  # steps run side by side; 0 for one a core, 1 with a GPU
    compute: Compute = Compute()
    target: TargetParameters
    pool: PoolParameters
    screening: Screening
    sampling: Sampling = Sampling()
    added_per_original: Annotated[float, Field(gt=0)] = 3.0
    strategies: dict[str, dict[str, Any] | None]
    personalisations: dict[str, dict[str, Any]] = Field(default_factory=dict)
    classifier: ClassifierTraining = ClassifierTraining()
    repetitions: Repetitions = Repetitions()
    low_label_agreement: Annotated[float, Field(ge=0, le=1)] = 0.7
    has_judge: bool = False
    pretraining: Pretraining | None = None
    tune: Tune | None = None
    strategy: str | None = None  # whose training set and classifier the pipeline `export` writes
    export: Export = Export()
    size_curve: SizeCurve = SizeCurve()
    leak_comparison: LeakComparison = LeakComparison()
    added_images: AddedImages = AddedImages()
    price: Price = Price()
    published: PublishedFigures | None = None


@dataclass(frozen=True)
class Study:
    """Checked parameters, with the strategies and personalisations built."""

    parameters: Parameters
    strategies: Mapping[str, Strategy]
    personalisations: Mapping[str, Personalisation]
    class_table: ClassTable

    @property
    def chosen(self) -> list[str]:
        """Names of the strategies that a plain run makes, in their order in the YAML."""
        only = self.parameters.only
        if only is None:
            return list(self.strategies)
        if only == EVERY_STRATEGY:
            return list(self.strategies)
        names = [name.strip() for name in only.split("+")]
        for name in names:
            if name not in self.strategies:
                raise UserError(f'only: there is no strategy "{name}"; {did_you_mean(name, self.strategies)}')
        return [name for name in self.strategies if name in names]

    @property
    def repetitions(self) -> range:
        """The repetitions' numbers."""
        return range(self.parameters.repetitions.number)

    def draw(self, purpose: Purpose, repetition: int) -> str:
        """Which draw a repetition uses for a purpose: its own, or the one that all share."""
        return f"repetition_{repetition}" if purpose in self.parameters.repetitions.redraw else SHARED

    def draws(self, purpose: Purpose) -> list[str]:
        """All draws made for a purpose."""
        return list(dict.fromkeys(self.draw(purpose, repetition) for repetition in self.repetitions))

    def subset_of(self, draw: str) -> SubsetDraw:
        """The target subset that a draw of personalisation, images or classifier starts from."""
        own = draw if "target_subset" in self.parameters.repetitions.redraw else SHARED
        return SubsetDraw(derive_seed(self.parameters.world, "target subset", own))

    def added_per_class(self, strategy: Strategy) -> int:
        """Images a class that a strategy adds, at least one."""
        factor = strategy.added_per_original or self.parameters.added_per_original
        return max(1, round(factor * self.parameters.target.train_per_class))


def read_study(parameters: Mapping[str, Any], root: Path | None = None) -> Study:
    """Check a world's parameters and build what they describe.

    Args:
        parameters: everything under ``parameters``.
        root: the project's folder, from which paths count; None for the current folder.

    Raises:
        UserError: one line that names the key, what was found and what would do.
    """
    try:
        checked = Parameters.model_validate(dict(parameters))
    except ValidationError as error:
        raise UserError(describe(error, "parameters", Parameters)) from error
    table = checked.target.class_table
    return build_study(checked, read_class_table((root or Path()) / table) if table else ClassTable())


def build_study(checked: Parameters, class_table: ClassTable) -> Study:
    """Build what checked parameters describe.

    Raises:
        UserError: as ``read_study`` does.
    """
    personalisations = {
        name: build_part("retrieval_vs_diffusion.strategies.personalise", entry, f"personalisations.{name}")
        for name, entry in checked.personalisations.items()
    }
    strategies = {name: parse_strategy(name, entry, personalisations) for name, entry in checked.strategies.items()}
    for kind, names in (("strategies", strategies), ("personalisations", personalisations)):
        for name in names:
            if not re.fullmatch(r"\w+", name):
                raise UserError(f'{kind}: found the name "{name}"; letters, digits and underscores will do')
    taken = _RESERVED & strategies.keys()
    if taken:
        raise UserError(f"strategies: {sorted(taken)[0]} is the name of a pipeline; call the strategy otherwise")
    _check_redraw(checked.repetitions)
    study = Study(checked, strategies, personalisations, class_table)
    _ = study.chosen
    return study


_RESERVED = frozenset(
    {
        "data_ingest",
        "index_build",
        "synthesize",
        "retrieve",
        "train",
        "evaluate",
        "pretrain",
        "target",
        "pool",
        "comparison",
        "tune",
        "export",
        "classify",
        "personalise",
        "size_curve",
        "leak_comparison",
        "added_images",
        "__default__",
        EVERY_STRATEGY,
    }
)


def _check_redraw(repetitions: Repetitions) -> None:
    redraw = repetitions.redraw
    if repetitions.number > 1 and not redraw:
        raise UserError(
            "repetitions.redraw: found nothing, so all repetitions would be the same; name what is drawn anew"
        )
    # What is made from a draw must be made for each draw: else images made from one repetition's
    # training images would be added to another's, which holds them back.
    for earlier, later in (
        ("target_subset", "personalisation"),
        ("target_subset", "added_images"),
        ("personalisation", "added_images"),
    ):
        if earlier in redraw and later not in redraw:
            raise UserError(f"repetitions.redraw: {later} is made from {earlier}; add {later}, or take {earlier} out")
