"""A personalisation tried for a few steps on a few originals."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.planning.linear_cost import measure_linear
from retrieval_vs_diffusion.planning.pilot_world import PilotWorld, Stages, release
from retrieval_vs_diffusion.planning.timings import LearnTiming
from retrieval_vs_diffusion.strategies.source import class_fields_of
from retrieval_vs_diffusion.strategies.wiring import datasets_of


def try_learning(name: str, personalisation: Any, world: PilotWorld, stages: Stages) -> tuple[LearnTiming, Any]:
    """Learn at two lengths; what is learned is of the pilot's classes alone.

    A part without ``training`` is run as it is: all that it takes counts as fixed.

    Returns:
        What it took, and what the longest run learned.
    """
    classes = len(world.labels)
    fewer = _learn(name, _with_steps(personalisation, 1), world, stages, classes - 1)
    learned: list[Any] = []

    def run(steps: int) -> float:
        learned.append(_learn(name, _with_steps(personalisation, steps), world, stages, classes))
        return learned[-1].cost.seconds

    training = getattr(personalisation, "training", None)
    cost = measure_linear(run, training.steps if training is not None else 1)
    of_class = max(0.0, float(learned[-1].stored_bytes - fewer.stored_bytes))
    timing = LearnTiming(
        fixed=cost.fixed,
        per_step=cost.per_unit,
        encode_seconds=_encode_seconds(world),
        originals=sum(world.originals_per_class),
        fixed_bytes=max(0.0, learned[-1].stored_bytes - classes * of_class),
        class_bytes=of_class,
        peak_memory_bytes=learned[-1].cost.peak_memory_bytes,
    )
    return timing, learned[-1]


def _with_steps(personalisation: Any, steps: int) -> Any:
    """The same part with so many steps and no early end."""
    training = getattr(personalisation, "training", None)
    if training is None:
        return personalisation
    return replace(personalisation, training=training.model_copy(update={"steps": steps, "looks": 1}))


def _learn(name: str, personalisation: Any, world: PilotWorld, stages: Stages, classes: int) -> Any:
    there: dict[str, Any] = {
        "target.reservoir": lambda: _first_classes(world.tried(world.reservoir), classes),
        "clip": lambda: world.clip,
        "diffusion": world.fresh_diffusion,
    }
    return stages.learn(
        personalisation=personalisation,
        name=name,
        seed_parts=(world.world, "personalise", name, "plan"),
        subset=world.subset,
        class_table=world.class_table.only(class_fields_of(personalisation)),
        class_names=world.names[:classes],
        originals_per_class=world.originals_per_class[:classes],
        compute=dict(world.settings["compute"]),
        **{argument: there[dataset]() for argument, dataset in datasets_of(personalisation.needs).items()},
    )


def _first_classes(table: ImageTable, classes: int) -> ImageTable:
    labels = table.labels()
    return table.take([row for row in range(len(table)) if labels[row] < classes])


def _encode_seconds(world: PilotWorld) -> float:
    """Seconds to encode one original, once the model is warm."""
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.training.denoising import encode_originals

    device = choose_device(**world.settings["compute"])
    diffusion = world.fresh_diffusion().to(device)
    started = 0.0
    for _ in range(2):
        started = time.perf_counter()
        encode_originals(diffusion, world.tried(world.reservoir), 0.0, 0).latents.cpu()
    seconds = time.perf_counter() - started
    del diffusion
    release(device)
    return seconds / len(world.reservoir)
