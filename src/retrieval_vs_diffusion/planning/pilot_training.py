"""The classifier trained for a few steps, and tested on a few images."""

from __future__ import annotations

import time
from typing import Any

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.planning.linear_cost import measure_linear
from retrieval_vs_diffusion.planning.pilot_world import PilotWorld, Stages, repeated
from retrieval_vs_diffusion.planning.timings import TrainTiming
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

_TESTED = 64  # images of a batch whose prediction is timed


def try_training(recipe: ClassifierTraining, world: PilotWorld, stages: Stages) -> TrainTiming:
    """Train at two lengths on the pilot's originals, with an output for every class of the target.

    Args:
        recipe: the whole recipe of a strategy.
        world: the small world.
        stages: what is timed.
    """
    if recipe.features == "clip":
        return _try_probe(recipe, world, stages)
    trained: list[tuple[Any, dict[str, Any]]] = []
    counts = [0] * len(world.class_names)
    for label in world.labels:
        counts[label] = world.images_per_class

    def run(steps: int) -> float:
        short = recipe.model_copy(update={"steps": steps, "validation_looks": 1})
        classifier, _, record = _train(short, world, stages, world.reservoir, counts, world.val, world.class_names)
        trained.append((classifier, record))
        return record["cost"]["seconds"]

    cost = measure_linear(run, recipe.steps)
    classifier, record = trained[-1]
    images = repeated(world.val, _TESTED)  # no test image is looked at
    decode = _decode_seconds(images, recipe.image_size)
    tested = _test_seconds(classifier, images, world, stages)
    return TrainTiming(
        fixed=cost.fixed,
        per_step=cost.per_unit,
        decode_seconds=decode,
        predict_seconds=max(0.0, tested - decode),
        bytes=_bytes_of(classifier),
        peak_memory_bytes=record["cost"]["peak_memory_bytes"],
    )


def _try_probe(recipe: ClassifierTraining, world: PilotWorld, stages: Stages) -> TrainTiming:
    """A linear probe of CLIP has no steps: what it takes grows with its images, which it embeds."""
    tables = [world.tried(each) for each in (world.reservoir, world.val)]
    classifier, _, record = _train(recipe, world, stages, tables[0], world.originals_per_class, tables[1], world.names)
    images = sum(world.originals_per_class) + len(world.val)
    tested = _test_seconds(classifier, world.tried(repeated(world.val, _TESTED)), world, stages, world.clip)
    size = _bytes_of(classifier) * len(world.class_names) // len(world.names)
    return TrainTiming(0.0, 0.0, 0.0, tested, size, by_image=record["cost"]["seconds"] / images)


def _train(
    recipe: ClassifierTraining,
    world: PilotWorld,
    stages: Stages,
    reservoir: ImageTable,
    originals_per_class: list[int],
    val: ImageTable,
    class_names: Any,
) -> tuple[Any, Any, dict[str, Any]]:
    return stages.train(
        mix="share",
        overrides=ClassifierTraining(),
        init_digest=None,
        seed=0,
        description="plan: training",
        processes=world.settings["compute"].get("processes", 1),
        subset=world.subset,
        originals=1.0,
        added_per_original=None,
        reservoir=reservoir,
        originals_per_class=originals_per_class,
        val=val,
        class_names=list(class_names),
        recipe=recipe.model_dump(),
        compute=dict(world.settings["compute"]),
        **({"clip": world.clip} if recipe.features == "clip" else {}),
    )


def _decode_seconds(images: ImageTable, size: int) -> float:
    from retrieval_vs_diffusion.images.squares import squares_of

    started = time.perf_counter()
    squares_of(images, size)
    return (time.perf_counter() - started) / len(images)


def _test_seconds(classifier: Any, images: ImageTable, world: PilotWorld, stages: Stages, clip: Any = None) -> float:
    """Seconds to read and test one image, once everything is warm."""
    started = 0.0
    for _ in range(2):
        started = time.perf_counter()
        stages.predict(classifier, images, dict(world.settings["compute"]), clip)
    return (time.perf_counter() - started) / len(images)


def _bytes_of(classifier: Any) -> int:
    return sum(tensor.nbytes for tensor in classifier.network.state_dict().values())
