"""Comparisons beside the table: rows of the study with one thing varied, each variant a strategy of its own.

A variant's name is dotted (``size_curve.times_2``), so that in the graph it is a box inside that of its
comparison; seeds are those of the row that it varies.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from retrieval_vs_diffusion.comparison.baseline import BASELINE
from retrieval_vs_diffusion.execution.digest import digest
from retrieval_vs_diffusion.strategies.composition import Strategy, Variant
from retrieval_vs_diffusion.study import Study

SIZE_CURVE = "size_curve"
LEAK_COMPARISON = "leak_comparison"
ADDED_IMAGES = "added_images"


def size_curve(study: Study) -> Study:
    """The baseline with other numbers of real images; none where the world has no baseline.

    The originals' own number is the baseline itself and not among them.
    """
    baseline = study.strategies.get(BASELINE)
    if baseline is None:
        return _with(study, [])
    return _with(
        study,
        (
            replace(baseline, name=f"{SIZE_CURVE}.times_{_word(times)}", variant=Variant(BASELINE, originals=times))
            for times in study.parameters.size_curve.times_originals
            if times != 1 and (times < 1 or study.parameters.target.per_class != "all")
        ),
    )


def leak_comparison(study: Study, name: str) -> Study:
    """A row with the near-duplicates of validation and test images let through; none where its arm is not asked for."""
    strategy = study.strategies[name]
    asked = strategy.arm in study.parameters.leak_comparison.arms
    variant = replace(strategy, name=f"{LEAK_COMPARISON}.{name}", variant=Variant(name, lets_leaks_through=True))
    return _with(study, [variant] if asked else [])


def added_images(study: Study, name: str) -> tuple[Study, list[dict[str, Any]]]:
    """A row with other numbers of added images, and with other shares of each batch that are drawn from them.

    The largest set is brought once, and smaller ones are its first images of each class.

    Returns:
        The study of all variants, whose first strategy brings the images of all others; and what each of the
        others varies: ``variant`` (its name), ``strategy``, ``times_originals`` and ``added_share``; None where the
        row draws its batches from all images alike.
    """
    strategy, asked = study.strategies[name], study.parameters.added_images
    usual_times = strategy.added_per_original or study.parameters.added_per_original
    usual_share = study.parameters.classifier.overridden_by(strategy.classifier).added_share
    most = max([*asked.times_originals, usual_times])
    source = replace(strategy, name=f"{ADDED_IMAGES}.{name}__all", added_per_original=most, variant=Variant(name))
    wanted = [(times, usual_share) for times in sorted({*asked.times_originals, usual_times})]
    if strategy.mix == "share":  # else a batch is drawn from all alike, whatever the share
        wanted += [(usual_times, share) for share in asked.added_shares if share != usual_share]
    made, varied = [source], []
    for times, share in wanted:
        variant = f"{ADDED_IMAGES}.{name}__times_{_word(times)}_share_{_word(share)}"
        recipe = strategy.classifier.model_copy(update={"added_share": share})
        shape = Variant(name, images_of=source.name, added_per_original=times)
        made.append(replace(source, name=variant, classifier=recipe, variant=shape))
        told = share if strategy.mix == "share" else None
        varied.append({"variant": variant, "strategy": name, "times_originals": times, "added_share": told})
    whole = _with(study, made)
    repetitions = whole.parameters.repetitions.model_copy(update={"number": asked.repetitions})
    return replace(whole, parameters=whole.parameters.model_copy(update={"repetitions": repetitions})), varied


def protocol_of(study: Study, name: str) -> str:
    """A digest of the parameters that a row's figures depend on."""
    parameters = study.parameters
    shared = parameters.model_dump(
        mode="json",
        include={"world", "target", "pool", "screening", "sampling", "classifier", "added_per_original"},
    )
    personalisation = parameters.personalisations.get(str(study.strategies[name].personalise))
    redraw = list(parameters.repetitions.redraw)
    return digest(shared, redraw, study.class_table, parameters.strategies[name], personalisation)[:12]


def _with(study: Study, strategies: Iterable[Strategy]) -> Study:
    parameters = study.parameters.model_copy(update={"only": None})
    return replace(study, parameters=parameters, strategies={each.name: each for each in strategies})


def _word(number: float) -> str:
    return f"{number:g}".replace(".", "_")
