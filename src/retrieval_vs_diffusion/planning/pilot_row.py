"""A strategy's steps tried on a few images, by the node function that runs them for all."""

from __future__ import annotations

import time
from typing import Any

from retrieval_vs_diffusion.images.downloads.store import DownloadStore
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.models.cost_meter import Cost
from retrieval_vs_diffusion.planning.counted_models import CountedDiffusion, CountedIndex, Work
from retrieval_vs_diffusion.planning.pilot_world import PilotWorld, Stages, repeated
from retrieval_vs_diffusion.planning.timings import StepTiming
from retrieval_vs_diffusion.strategies.collect import total
from retrieval_vs_diffusion.strategies.composition import Step, Strategy
from retrieval_vs_diffusion.strategies.source import class_fields_of, consumes_previous
from retrieval_vs_diffusion.strategies.wiring import datasets_of, resources_of

_MEASURED = 64  # images of a set whose measuring is timed
_LEARNED = "learned"


def try_row(
    strategy: Strategy, personalisation: Any, learned: Any, world: PilotWorld, stages: Stages
) -> tuple[tuple[StepTiming, ...], ImageTable]:
    """Bring an image for each of the pilot's originals.

    Args:
        strategy: whose steps are run, with its real parts.
        personalisation: the one that it names; None without one.
        learned: what that learned in the pilot.
        world: the small world.
        stages: what is timed.

    Returns:
        What each step took, and the images, labelled as in the whole target.
    """
    timings, images = [], None
    for position, step in enumerate(strategy.steps):
        work = Work()
        inputs = _inputs(step, strategy, learned, world, work)
        if position:
            inputs["previous"] = images
        teaches = step.kind == "generate" and personalisation is not None
        images, _ = stages.bring(
            source=step.source,
            strategy=strategy.name,
            added_per_original=1.0,
            seed_parts=(world.world, strategy.seeded_as, "plan", position),
            subset=world.subset if "reservoir" in inputs else None,
            class_table=world.class_table.only(class_fields_of(step.source)),
            personalisation=personalisation if teaches else None,
            personalised="plan" if teaches else None,
            lets_leaks_through=False,
            class_names=world.names,
            originals_per_class=world.originals_per_class,
            protected=world.protected,
            screening=dict(world.settings["screening"]),
            compute=dict(world.settings["compute"]),
            **inputs,
        )
        timings.append(_step_timing(step, images, work, world))
    return tuple(timings), world.in_whole(images) if images is not None else ImageTable.from_rows([])


def _inputs(step: Step, strategy: Strategy, learned: Any, world: PilotWorld, work: Work) -> dict[str, Any]:
    """The node's inputs that provide what a step needs."""
    datasets = datasets_of(resources_of(step, strategy), _LEARNED)
    there: dict[str, Any] = {
        "target.reservoir": lambda: world.tried(world.reservoir),
        "clip": lambda: world.clip,
        "diffusion": lambda: CountedDiffusion(world.fresh_diffusion(), work),
        "pool.images": lambda: world.pool,
        "pool.takedown": lambda: world.takedown,
        "pool.downloaded": lambda: DownloadStore(world.downloads),
        "pool.index": lambda: CountedIndex(world.index, work),
        "pool.embeddings": lambda: world.embeddings,
        "params:pool.downloads": lambda: dict(world.settings["downloads"]),
        "params:sampling": lambda: dict(world.settings["sampling"]),
        _LEARNED: lambda: {"plan": learned},
    }
    return {argument: there[dataset]() for argument, dataset in datasets.items()}


def _step_timing(step: Step, images: ImageTable, work: Work, world: PilotWorld) -> StepTiming:
    entry = images.ledger["steps"][-1]
    cost = Cost.from_dict(entry["cost"])
    asked, brought, used = (total(entry, column) for column in ("asked", "brought", "used"))
    wanted = sum(world.originals_per_class)
    # What the meter saw and `collect` did not, is the teaching of what was learned.
    whole = max(cost.seconds - entry["seconds"]["screen"], entry["seconds"]["bring"])
    by_original = "originals" in step.source.needs
    return StepTiming(
        kind=step.kind,
        replaces=consumes_previous(step.source),
        asked_share=asked / wanted,
        brought_an_image=brought / used if used else 1.0,
        generated_an_image=work.images / brought if brought else 0.0,
        batch_size=work.batch_size,
        batch_seconds=work.generating / work.batches if work.batches else 0.0,
        queries=work.queries / (wanted if by_original else len(world.labels)),
        queries_by_original=by_original,
        other_seconds=max(0.0, whole - work.generating - work.searching) / max(1, brought),
        screen_seconds=entry["seconds"]["screen"] / max(1, brought),
        image_bytes=images.table.nbytes / max(1, len(images)),
        peak_memory_bytes=cost.peak_memory_bytes,
    )


def measure_seconds(strategy: Strategy, images: ImageTable, world: PilotWorld, stages: Stages) -> float:
    """Seconds to measure one image of a strategy's set; what was generated is compared with the pool, too."""
    if not len(images):
        return 0.0
    many = repeated(images, _MEASURED)
    val = stages.embed(world.val, world.clip, dict(world.settings["compute"]))
    generated = any(step.kind == "generate" for step in strategy.steps)
    compared = {"pool": world.pool, "index": world.index} if generated and world.pool is not None else {}
    started = time.perf_counter()
    stages.measure(
        draw="plan",
        added=many,
        class_names=list(world.class_names),
        clip=world.clip,
        val=whole_embeddings(val),
        near_duplicate_from=world.settings["near_duplicate_from"],
        compute=dict(world.settings["compute"]),
        judge=world.judge,
        **compared,
    )
    return (time.perf_counter() - started) / _MEASURED


def whole_embeddings(made: Any) -> Any:
    """Embeddings in memory, also of those that are made while they are written."""
    import numpy as np

    from retrieval_vs_diffusion.models.embeddings import Embeddings, EmbeddingStream

    if not isinstance(made, EmbeddingStream):
        return made
    return Embeddings(np.concatenate(list(made)), made.clip_name)
