"""Nodes of the plan: survey, pilot, and what follows for a whole run."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval_vs_diffusion.planning.settings import Plan
from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.strategies.class_table import ClassTable
from retrieval_vs_diffusion.strategies.composition import Strategy
from retrieval_vs_diffusion.strategies.source import class_fields_of
from retrieval_vs_diffusion.training.recipe import ClassifierTraining

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.images.image_table import ImageTable
    from retrieval_vs_diffusion.images.target import PerClass
    from retrieval_vs_diffusion.planning.asked import Asked
    from retrieval_vs_diffusion.planning.surveyed import Surveyed


def survey(world: str, plan: Plan, target: Any, pool: Any | None) -> tuple[Any, ...]:
    """Count target and pool, and take some images of each.

    Args:
        world: its name.
        plan: how many.
        target: the target's reader.
        pool: the pool's; None without one.

    Returns:
        Numbers; validation and reservoir images of some classes; the pool's first images, where there is one.
    """
    from retrieval_vs_diffusion.planning.pool_survey import survey_pool
    from retrieval_vs_diffusion.planning.surveyed import surveyed
    from retrieval_vs_diffusion.planning.target_survey import survey_target

    found = survey_target(target, plan.classes, plan.images_per_class, derive_seed(world, "plan"))
    sample = survey_pool(pool, plan.pool_sample) if pool is not None else None
    tables = [found.parts[part] for part in ("val", "reservoir")]
    return (surveyed(found, sample).to_dict(), *tables, *([sample.images] if sample is not None else []))


def pilot(
    world: str,
    plan: Plan,
    strategies: Mapping[str, Strategy],
    personalisations: Mapping[str, Any],
    recipes: Mapping[str, ClassifierTraining],
    class_table: ClassTable,
    per_class: PerClass,
    most_added: float,
    settings: Mapping[str, Any],
    found: dict[str, Any],
    reservoir: ImageTable,
    val: ImageTable,
    compute: dict[str, Any],
    clip: Any,
    diffusion: Any = None,
    judge: Any = None,
    pool: ImageTable | None = None,
    takedown: frozenset[str] = frozenset(),
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Time every stage on a few images, and look which classes are hard.

    Args:
        world: its name, for seeds.
        plan: how much is tried.
        strategies: those that a run would make.
        personalisations: by name.
        recipes: of their classifiers, and of the size curve's.
        class_table: what is said of the classes.
        per_class: images a class that are trained on.
        most_added: images that any of the strategies adds for each original.
        settings: the parameters ``screening``, ``sampling``, ``downloads``, ``index``, ``low_label_agreement``
            and ``near_duplicate_from``.
        found: what the survey found.
    """
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.planning.pilot import run_pilot
    from retrieval_vs_diffusion.planning.pilot_world import PilotWorld, protected_in_all
    from retrieval_vs_diffusion.planning.small_pool import small_pool
    from retrieval_vs_diffusion.planning.surveyed import Surveyed

    there = Surveyed.from_dict(found)
    on_device = clip.to(choose_device(**compute))
    stages = _stages()
    images, embeddings, index = small_pool(pool, on_device, settings["index"], compute, stages)
    protected = protected_in_all(val, there.count("val") + there.count("test"))
    with tempfile.TemporaryDirectory() as downloads:
        small = PilotWorld(
            world=world,
            class_names=there.classes,
            labels=there.tried,
            images_per_class=plan.images_per_class,
            reservoir=reservoir,
            val=val,
            clip=on_device,
            diffusion=diffusion,
            judge=judge,
            pool=images,
            embeddings=embeddings,
            index=index,
            protected=protected,
            class_table=class_table,
            settings={**settings, "compute": compute},
            takedown=takedown,
            downloads=Path(downloads),
        )
        done = run_pilot(strategies, personalisations, recipes, small, stages)
    wanted = _wanted(there, per_class, most_added)
    table = _classes(strategies, class_table, wanted, there, on_device, embeddings, done.generated, settings)
    return done.timings.to_dict(), table


def _wanted(there: Surveyed, per_class: PerClass, most_added: float) -> list[int]:
    """Images of each class that are added at most."""
    from retrieval_vs_diffusion.images.target import times_originals
    from retrieval_vs_diffusion.planning.asked import originals_of

    originals = originals_of(there.images["reservoir"], there.classes, per_class)
    return times_originals(originals, most_added) if most_added else originals


def _classes(
    strategies: Mapping[str, Strategy],
    class_table: ClassTable,
    wanted: list[int],
    there: Surveyed,
    clip: Any,
    embeddings: Any,
    generated: Mapping[str, ImageTable],
    settings: Mapping[str, Any],
) -> pd.DataFrame:
    from retrieval_vs_diffusion.planning import hard_classes
    from retrieval_vs_diffusion.strategies.retrieve.by_text import class_queries
    from retrieval_vs_diffusion.strategies.source import Surroundings

    retrieving = [step.source for row in strategies.values() for step in row.steps if step.kind == "retrieve"]
    source = next((each for each in retrieving if hasattr(each, "prompts")), None)
    fields = class_fields_of(source) if source is not None else ("name",)
    prompts = source.prompts if source is not None else ("a photo of a {name}",)
    around = Surroundings(there.classes, "plan", ("plan",), class_table=class_table.only(fields))
    queries = class_queries(clip, prompts, around)
    return hard_classes.class_table(
        there.classes,
        wanted,
        queries,
        embeddings.vectors if embeddings is not None else None,
        there.pool.usable if there.pool is not None else 0,
        hard_classes.agreements(generated, queries, clip),
        settings["low_label_agreement"],
    )


def reckon(
    asked: Asked,
    workers: int,
    processes: int,
    found: dict[str, Any],
    timed: dict[str, Any],
    classes: pd.DataFrame,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """What a whole run takes, as a table and in words."""
    from retrieval_vs_diffusion.execution.workers import number_of_workers
    from retrieval_vs_diffusion.planning.extrapolation import plan_table
    from retrieval_vs_diffusion.planning.in_words import summarise
    from retrieval_vs_diffusion.planning.surveyed import Surveyed
    from retrieval_vs_diffusion.planning.timings import PilotTimings

    there, timings = Surveyed.from_dict(found), PilotTimings.from_dict(timed)
    table = plan_table(asked, there, timings, number_of_workers(workers, processes))
    told = classes.fillna({"hard_to_retrieve": "", "hard_to_generate": ""})  # an empty cell comes back as NaN
    return table, summarise(table, told, asked, there, timings)


def _stages() -> Any:
    from retrieval_vs_diffusion.pipelines.bring_images import bring_images
    from retrieval_vs_diffusion.pipelines.evaluate.nodes import measure_set, predict_test
    from retrieval_vs_diffusion.pipelines.index_build.nodes import build_index, embed
    from retrieval_vs_diffusion.pipelines.synthesize.nodes import learn_personalisation
    from retrieval_vs_diffusion.pipelines.train.nodes import train_classifier
    from retrieval_vs_diffusion.planning.pilot_world import Stages

    return Stages(
        bring=bring_images,
        learn=learn_personalisation,
        train=train_classifier,
        predict=predict_test,
        measure=measure_set,
        embed=embed,
        build_index=build_index,
    )
