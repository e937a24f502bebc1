"""The pilot: every stage tried on a few images, and timed. What fails is told, and the others go on."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from retrieval_vs_diffusion.errors import find_user_error
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.pool import LINKS
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.planning.pilot_learning import try_learning
from retrieval_vs_diffusion.planning.pilot_row import measure_seconds, try_row, whole_embeddings
from retrieval_vs_diffusion.planning.pilot_training import try_training
from retrieval_vs_diffusion.planning.pilot_world import PilotWorld, Stages, release, repeated
from retrieval_vs_diffusion.planning.timings import LearnTiming, PilotTimings, RowTiming, TrainTiming
from retrieval_vs_diffusion.strategies.composition import Strategy
from retrieval_vs_diffusion.training.recipe import ClassifierTraining
from retrieval_vs_diffusion.unfinished import kept_in

logger = logging.getLogger(__name__)
T = TypeVar("T")

_EMBEDDED = 64  # images whose embedding is timed


@dataclass(frozen=True)
class Pilot:
    """What a pilot found.

    Args:
        timings: what everything took.
        generated: images that a model made, by strategy, labelled as in the whole target.
    """

    timings: PilotTimings
    generated: Mapping[str, ImageTable] = field(default_factory=dict)


@kept_in(None)  # what a pilot that was killed had done would be found again in no time, and the plan promise as much
def run_pilot(
    strategies: Mapping[str, Strategy],
    personalisations: Mapping[str, Any],
    recipes: Mapping[str, ClassifierTraining],
    world: PilotWorld,
    stages: Stages,
) -> Pilot:
    """Try every strategy.

    Args:
        strategies: those that a run would make.
        personalisations: by name; those that a strategy names are tried, once each.
        recipes: by which classifiers are trained, by strategy; those that take as long are tried once.
        world: a small world.
        stages: the functions that are timed.
    """
    from retrieval_vs_diffusion.models.device import choose_device

    started = time.perf_counter()
    device = choose_device(**world.settings["compute"])
    attempts = _Attempts(device)
    if world.diffusion is not None:
        _Attempts(device).attempt("the first batch", "generating", lambda: _warm_up(world, device))  # rows tell it too
    learn, learned, unlearned = _learn_all(strategies, personalisations, world, stages, device)
    rows: dict[str, RowTiming] = {}
    generated: dict[str, ImageTable] = {}
    for name, strategy in strategies.items():
        logger.info("plan: trying %s", name)
        own = strategy.personalise
        if own is not None and own not in learned:
            attempts.failed[name] = f"{own} could not be learned, {unlearned[own]}"
            continue
        part, known = (personalisations[own], learned[own]) if own is not None else (None, None)
        work = functools.partial(try_row, strategy, part, known, world, stages)
        tried = attempts.attempt(name, "bringing images", work)
        if tried is not None:
            steps, images = tried
            measured = attempts.attempt(
                name, "measuring the set", functools.partial(measure_seconds, strategy, images, world, stages)
            )
            rows[name] = RowTiming(steps, measured, len(images) / sum(world.originals_per_class) if steps else 1.0)
            if strategy.arm in ("generate", "both"):
                generated[name] = images
    train = _train_all(recipes, world, stages, attempts)
    timings = PilotTimings(
        device=device.type,
        device_name=_name_of(device),
        embed_seconds=_embed_seconds(world, stages),
        width=int(world.clip.embed_texts(["nothing"]).shape[1]),
        search_flops=_search_flops(),
        learn=learn,
        rows=rows,
        train=train,
        failed=attempts.failed,
        seconds=time.perf_counter() - started,
    )
    return Pilot(timings, generated)


class _Attempts:
    """Tries one thing after the other, and keeps why something failed.

    Args:
        device: whose memory is given back after each.
    """

    def __init__(self, device: Any) -> None:
        self.failed: dict[str, str] = {}
        self._device = device

    def attempt(self, name: str, what: str, work: Callable[[], T]) -> T | None:
        """What the work gives; None where it raises anything at all."""
        try:
            return work()
        except Exception as error:  # whatever breaks one row: the others are planned all the same
            told = f"{what}: {in_a_line(error)}"
            self.failed[name] = f"{self.failed[name]}; {told}" if name in self.failed else told
            logger.warning("plan: %s cannot be tried, %s", name, told)
            return None
        finally:
            release(self._device)


def _learn_all(
    strategies: Mapping[str, Strategy],
    personalisations: Mapping[str, Any],
    world: PilotWorld,
    stages: Stages,
    device: Any,
) -> tuple[dict[str, LearnTiming], dict[str, Any], dict[str, str]]:
    """What each personalisation took and learned, by name; and why others could not be learned."""
    learn: dict[str, LearnTiming] = {}
    learned: dict[str, Any] = {}
    attempts = _Attempts(device)
    for name in dict.fromkeys(each.personalise for each in strategies.values() if each.personalise):
        work = functools.partial(try_learning, name, personalisations[name], world, stages)
        found = attempts.attempt(name, "learning", work)
        if found is not None:
            learn[name], learned[name] = found
    return learn, learned, attempts.failed


def _train_all(
    recipes: Mapping[str, ClassifierTraining], world: PilotWorld, stages: Stages, attempts: _Attempts
) -> dict[str, TrainTiming]:
    train: dict[str, TrainTiming] = {}
    for name, recipe in recipes.items():
        same = next((done for done in train if _as_dear(recipes[done], recipe)), None)
        work = functools.partial(try_training, recipe, world, stages)
        timing = train[same] if same else attempts.attempt(name, "training", work)
        if timing is not None:
            train[name] = timing
    return train


def in_a_line(error: Exception) -> str:
    """What went wrong, short enough for a table's note."""
    mendable = find_user_error(error)
    told = str(mendable) if mendable is not None else f"{type(error).__name__}: {error}"
    line = " ".join(told.split())
    return f"{line[:200]}..." if len(line) > 200 else line


def _as_dear(one: ClassifierTraining, other: ClassifierTraining) -> bool:
    """Whether two recipes take as long: the share of added images is no matter."""
    free = {"added_share", "learning_rate", "weight_decay", "label_smoothing"}
    return one.model_dump(exclude=free) == other.model_dump(exclude=free)


def _warm_up(world: PilotWorld, device: Any) -> None:
    """The first batch of a process loads kernels and takes longer."""
    sampling = Sampling.model_validate(world.settings["sampling"]).model_copy(update={"steps": 2})
    list(world.fresh_diffusion().to(device).text_to_image(["a photo"], [0], sampling, "warming up"))


def _embed_seconds(world: PilotWorld, stages: Stages) -> float:
    """Seconds to embed an image; the pool's own where it has images."""
    links = world.pool is None or world.pool.ledger.get("kind") == LINKS
    images = repeated(world.val if links or world.pool is None else world.pool, _EMBEDDED)
    started = 0.0
    for _ in range(2):
        started = time.perf_counter()
        whole_embeddings(stages.embed(ImageTable(images.table), world.clip, dict(world.settings["compute"])))
    return (time.perf_counter() - started) / _EMBEDDED


def _search_flops(vectors: int = 20_000, width: int = 128, queries: int = 64) -> float:
    """Operations a second of an exact search, 2 a multiply-add."""
    import faiss

    random = np.random.default_rng(0)
    index = faiss.IndexFlatIP(width)
    index.add(random.standard_normal((vectors, width), dtype=np.float32))
    asked = random.standard_normal((queries, width), dtype=np.float32)
    index.search(asked, 10)
    started = time.perf_counter()
    index.search(asked, 10)
    return 2.0 * vectors * width * queries / (time.perf_counter() - started)


def _name_of(device: Any) -> str:
    import torch

    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    threads = torch.get_num_threads()
    return f"{device.type}, {threads} thread{'s' if threads > 1 else ''} a worker"
