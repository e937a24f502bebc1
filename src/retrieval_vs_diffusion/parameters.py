"""Everything under ``parameters``, as typed models; an unknown key or a value out of range is an error."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from retrieval_vs_diffusion.comparison.price import Price
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.images.downloads.settings import Downloads
from retrieval_vs_diffusion.images.screening import Screening
from retrieval_vs_diffusion.models.index_settings import IndexSettings
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.planning.settings import Plan
from retrieval_vs_diffusion.remote.settings import Remote
from retrieval_vs_diffusion.training.pretraining.settings import Pretraining
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

Purpose = Literal["target_subset", "personalisation", "added_images", "classifier"]


def _joined_by_plus(value: Any) -> Any:
    """A list as the command line can hold it, ``0.5+2``: Kedro takes none there."""
    if isinstance(value, str):
        return [each.strip() for each in value.split("+")]
    return [value] if isinstance(value, int | float) else value


_Listed = BeforeValidator(_joined_by_plus)


class Compute(BaseModel):
    """Where models run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str = "auto"  # CUDA, else MPS, else the CPU; or one of them by name
    threads: Annotated[int, Field(ge=0)] = 1  # of torch on the CPU, in each worker; 0 for all
    processes: Annotated[int, Field(ge=0)] = 1  # that train one classifier together; 0 for one on each GPU


class Decoded(BaseModel):
    """Where training images lie decoded, for all repetitions and rows; no result depends on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = "data/05_model_input/decoded-images"
    at_most_gb: Annotated[float, Field(ge=0)] = 100.0  # those that were not used for longest are removed; 0 for none


class Tracking(BaseModel):
    """Where MLflow's runs are written to; no result depends on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # A server's address, which may hold a password; null for MLFLOW_TRACKING_URI, or else the project's mlflow.db.
    uri: SecretStr | None = None


class TargetParameters(BaseModel):
    """Where the target comes from and how many images a class are trained on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reader: dict[str, Any]
    path: str | None = None  # what the reader's own path stands for, so that the command line is short
    # A number of images, a share of each class (the rest is held back), or `all`.
    per_class: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)] | Literal["all"]


class PoolParameters(BaseModel):
    """Where the pool comes from; a reader without a path is no pool."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reader: dict[str, Any]
    path: str | None = None  # as the target's
    index: IndexSettings = IndexSettings()
    downloads: Downloads = Downloads()  # of a pool of links


class ClassesParameters(BaseModel):
    """What is said of the classes beyond their names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = None  # a CSV: class, name, definition, hypernym, background


class ClipParameters(BaseModel):
    """The CLIP model that the pool is searched with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str  # one of open_clip's names, or a folder in its layout
    checkpoint: str | None = None  # with a name: a pretrained tag, or a .safetensors file
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = False  # colours of a pixel side by side; for convolutional image towers


class DiffusionParameters(BaseModel):
    """The diffusion model that images are generated with, and how it is held in memory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = None  # a directory in diffusers' layout, or one .safetensors file; null for none
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    attention_slicing: bool = False  # less memory, slower
    offload: Literal["model", "sequential"] | None = None  # keeps on the GPU what runs alone
    channels_last: bool = False  # channels innermost: faster in half precision on a GPU; other last bits
    # Modes of torch.compile for the denoiser while it is sampled from; the last two record CUDA graphs.
    compile: Literal["default", "reduce-overhead", "max-autotune"] | None = None


class JudgeParameters(BaseModel):
    """The classifier that label agreement is measured with where a pool tells no true labels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = None  # null for none


class Repetitions(BaseModel):
    """How often everything is done, and what each repetition draws anew.

    What is not drawn anew is made once and shared by all repetitions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: Annotated[int, Field(ge=1)] = 5
    redraw: Annotated[tuple[Purpose, ...], _Listed] = ("target_subset", "personalisation", "added_images", "classifier")


class SizeCurve(BaseModel):
    """At which numbers of real images the baseline is trained, to tell what a row is worth in real images."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    times_originals: Annotated[tuple[Annotated[float, Field(gt=0)], ...], _Listed] = (
        0.5,
        1.5,
        2,
        3,
    )  # up to all that are held back


class LeakComparison(BaseModel):
    """Which rows are trained a second time with copies of test images let through."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    arms: Annotated[tuple[Literal["retrieve", "generate", "both"], ...], _Listed] = ("retrieve", "both")


class AddedImages(BaseModel):
    """What the pipeline ``added_images`` varies: how many images are added, and how they are mixed in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    times_originals: Annotated[tuple[Annotated[float, Field(gt=0)], ...], _Listed] = (0.5, 1, 2, 3, 6)
    added_shares: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], _Listed] = (0.25, 0.5, 0.75)
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
    execution: Literal["local", "ray"] = "local"  # who makes the units of a step: this machine, or a cluster of Ray
    ray: RaySettings = RaySettings()
    compute: Compute = Compute()
    decoded: Decoded = Decoded()
    remote: Remote = Remote()
    tracking: Tracking = Tracking()
    target: TargetParameters
    pool: PoolParameters
    classes: ClassesParameters = ClassesParameters()
    clip: ClipParameters
    diffusion: DiffusionParameters = DiffusionParameters()
    judge: JudgeParameters = JudgeParameters()
    takedown: str | None = None  # a file of ids and URLs that no run may use
    screening: Screening
    sampling: Sampling = Sampling()
    added_per_original: Annotated[float, Field(gt=0)] = 3.0
    strategies: dict[str, dict[str, Any] | None]
    personalisations: dict[str, dict[str, Any]] = Field(default_factory=dict)
    classifier: ClassifierTraining = ClassifierTraining()
    repetitions: Repetitions = Repetitions()
    low_label_agreement: Annotated[float, Field(ge=0, le=1)] = 0.7
    near_duplicate_from: Annotated[float, Field(gt=0, le=1.01)] = 0.93  # thumbnails of a set, or of it and the pool
    pretraining: Pretraining | None = None
    tune: Tune | None = None
    strategy: str | None = None  # whose training set and classifier the pipeline `export` writes
    export: Export = Export()
    size_curve: SizeCurve = SizeCurve()
    leak_comparison: LeakComparison = LeakComparison()
    added_images: AddedImages = AddedImages()
    plan: Plan = Plan()
    price: Price = Price()
    published: PublishedFigures | None = None
