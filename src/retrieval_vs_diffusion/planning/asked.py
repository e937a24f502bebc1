"""What a run would make, in numbers: how often, how many images, and by which recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from retrieval_vs_diffusion.comparison.baseline import BASELINE
from retrieval_vs_diffusion.comparison.price import Price
from retrieval_vs_diffusion.images.target import PerClass, count_originals, times_originals
from retrieval_vs_diffusion.models.index_settings import IndexSettings
from retrieval_vs_diffusion.study import Study
from retrieval_vs_diffusion.training.personalisation import PersonalisationTraining
from retrieval_vs_diffusion.training.recipe import ClassifierTraining
from retrieval_vs_diffusion.variants import leak_comparison, size_curve


@dataclass(frozen=True)
class AskedRow:
    """One strategy.

    Args:
        added_per_original: images that it adds for each original; 0 for none.
        personalise: name of its personalisation; None without one.
    """

    added_per_original: float
    personalise: str | None


@dataclass(frozen=True)
class Asked:
    """What a run would make.

    Args:
        rows: by strategy, in order.
        recipes: of the rows' classifiers, and of the baseline's where there is a size curve.
        training: of each personalisation that a row names; None of those that have no such settings.
        repetitions: of every row.
        image_draws: draws of added images; what is not redrawn is made once.
        personalisation_draws: draws of what is learned.
        per_class: images a class that are trained on.
        sizes: numbers of originals of the size curve, as multiples.
        leaky: rows that are trained once more with leaks let through.
        index: how the pool is searched.
        price: of the machine.
        left_out: why strategies are left out, in lines.
    """

    rows: Mapping[str, AskedRow]
    recipes: Mapping[str, ClassifierTraining]
    training: Mapping[str, PersonalisationTraining | None]
    repetitions: int
    image_draws: int
    personalisation_draws: int
    per_class: PerClass
    sizes: Sequence[float] = ()
    leaky: Sequence[str] = ()
    index: IndexSettings = field(default_factory=IndexSettings)
    price: Price = field(default_factory=Price)
    left_out: Sequence[str] = ()

    def originals(self, reservoir: Sequence[int], class_names: Sequence[str]) -> list[int]:
        """Images of each class that are trained on.

        Args:
            reservoir: images of each class there.
            class_names: by label.
        """
        return originals_of(reservoir, class_names, self.per_class)

    def added(self, name: str, originals: Sequence[int]) -> int:
        """Images that a strategy adds in a repetition."""
        times = self.rows[name].added_per_original
        return sum(times_originals(originals, times)) if times else 0


def originals_of(reservoir: Sequence[int], class_names: Sequence[str], per_class: PerClass) -> list[int]:
    """Images of each class that are trained on, by the images of each that are in the reservoir."""
    return count_originals(np.repeat(np.arange(len(reservoir)), reservoir), class_names, per_class)


def asked_of(study: Study, left_out: Sequence[str] = ()) -> Asked:
    """What a plain run of a study would make."""
    strategies = {name: study.strategies[name] for name in study.chosen}
    parameters = study.parameters
    named = dict.fromkeys(each.personalise for each in strategies.values() if each.personalise)
    curve = size_curve(study).strategies.values()
    return Asked(
        rows={
            name: AskedRow(
                study.added_per_original(strategy) if strategy.adds_images else 0.0,
                strategy.personalise,
            )
            for name, strategy in strategies.items()
        },
        recipes=recipes_of(study),
        training={name: _training_of(study.personalisations[name]) for name in named},
        repetitions=len(study.repetitions),
        image_draws=len(study.draws("added_images")),
        personalisation_draws=len(study.draws("personalisation")),
        per_class=parameters.target.per_class,
        sizes=[each.variant.originals for each in curve if each.variant is not None],
        leaky=[name for name in strategies if leak_comparison(study, name).strategies],
        index=parameters.pool.index,
        price=parameters.price,
        left_out=tuple(left_out),
    )


def recipes_of(study: Study) -> dict[str, ClassifierTraining]:
    """The whole recipes by which a plain run trains: those of its rows, and the baseline's for the size curve."""
    names = [*study.chosen, *([BASELINE] if size_curve(study).strategies else [])]
    recipe = study.parameters.classifier
    return {name: recipe.overridden_by(study.strategies[name].classifier) for name in names}


def _training_of(personalisation: Any) -> PersonalisationTraining | None:
    training = getattr(personalisation, "training", None)
    return training if isinstance(training, PersonalisationTraining) else None
